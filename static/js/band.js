/* A filled band between two prices, in steps: each value holds until the next. */
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
      for (let index = visibleRange.from; index < visibleRange.to; index += 1) {
        const { x, originalData } = bars[index];
        if (originalData.upper === undefined) continue;
        const end = bars[index + 1]?.x ?? x + this.data.barSpacing;
        const top = priceToCoordinate(originalData.upper);
        const bottom = priceToCoordinate(originalData.lower);
        if (top !== null && bottom !== null) context.fillRect(x, top, end - x, bottom - top);
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

  defaultOptions() { return { color: "transparent" }; }
}
