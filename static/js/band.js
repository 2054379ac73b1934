/* A band between two prices, in steps: each value holds until the next. Filled, edged or both. */
class BandRenderer {
  update(data, options) {
    this.data = data;
    this.options = options;
  }

  draw(target, priceToCoordinate) {
    if (!this.data?.visibleRange || !this.data.bars.length) return;
    target.useMediaCoordinateSpace(({ context }) => {
      const { bars, visibleRange } = this.data;
      context.fillStyle = this.options.color;
      context.strokeStyle = this.options.edge;
      context.setLineDash([1, 3]);
      for (let index = visibleRange.from; index < visibleRange.to; index += 1) {
        const { x, originalData } = bars[index];
        if (originalData.upper === undefined) continue;
        const end = bars[index + 1]?.x ?? x + this.data.barSpacing;
        const top = priceToCoordinate(originalData.upper);
        const bottom = priceToCoordinate(originalData.lower);
        if (top === null || bottom === null) continue;
        context.fillRect(x, top, end - x, bottom - top);
        for (const y of this.options.edge === "transparent" ? [] : [top, bottom]) {
          context.beginPath();
          context.moveTo(x, y);
          context.lineTo(end, y);
          context.stroke();
        }
      }
    });
  }
}

export class BandSeries {
  constructor() { this.view = new BandRenderer(); }

  renderer() { return this.view; }

  update(data, options) { this.view.update(data, options); }

  isWhitespace(point) { return point.upper === undefined; }

  priceValueBuilder(point) { return [point.lower, point.upper]; }

  defaultOptions() { return { color: "transparent", edge: "transparent" }; }
}
