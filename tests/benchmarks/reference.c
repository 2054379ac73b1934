/* The rule on every bar, one combination after another: a scalar reference for the sweep's speed and results.
   Watched execution filled at the close, proportional sizing, no corporate actions. */
#include <math.h>

static double cents(double x) { return floor(x * 100.0 + 0.5 + 1e-6) / 100.0; }
static double micro(double x) { return floor(x * 1e6 + 0.5) / 1e6; }
static double round_down(double q, double step) {
    double rounded = floor(q / step * (1.0 + 1e-13) + 1e-9) * step;
    return rounded >= 4503599.0 ? rounded : floor(rounded * 1e9 + 0.5) / 1e9;
}
static double bound(double g, double p, double s, double v, double c) {
    double gap = g * v - s;
    return gap >= 0.0 ? gap / (p * (1.0 + g * c)) : gap / (p * (1.0 - g * c));
}

enum { UP, DOWN, RATIO, LOW, HIGH, TOLERANCE, NOTIONAL, STEP, MOST, ORDERS, RATE, COLUMNS };
enum { FINAL, TRADES, DRAWDOWN, SHARPE, INSIDE, RESULTS };

static double decide(double p, double cash, double shares, double anchor, double orders, const double *k) {
    double s = shares * p, v = s + cash;
    int signal = p >= anchor * (1.0 + k[UP]) ? -1 : p <= anchor * (1.0 - k[DOWN]) ? 1 : 0;
    if (!signal && s < (k[HIGH] + k[TOLERANCE]) * v * (1.0 - 1e-12) && s > (k[LOW] - k[TOLERANCE]) * v * (1.0 + 1e-12))
        return 0.0; /* surely inside the band: no division */
    double share = s / v;
    double lower = bound(k[LOW], p, s, v, k[RATE]), upper = bound(k[HIGH], p, s, v, k[RATE]);
    double raw = signal ? (anchor / p - 1.0) * k[RATIO] * v / p : 0.0;
    double q = signal > 0 ? fmin(raw, fmax(upper, 0.0)) : signal < 0 ? fmax(raw, fmin(lower, 0.0)) : 0.0;
    if (share > k[HIGH] + k[TOLERANCE] && q > upper) q = upper;
    else if (share < k[LOW] - k[TOLERANCE] && q < lower) q = lower;
    if (q == 0.0) return 0.0;
    double source = q > 0.0 ? fmax(cash - 0.01, 0.0) / (p * (1.0 + k[RATE])) : shares;
    double size = round_down(fmin(fmin(fabs(q), source), k[MOST] * v / p), k[STEP]);
    if (size == 0.0 || size * p < k[NOTIONAL] || orders >= k[ORDERS]) return 0.0;
    return q > 0.0 ? size : -size;
}

void sweep(const double *close, const int *day, int bars, const double *grid, int first, int last, double start,
           double *scratch, double *results) {
    for (int row = first; row < last; row++) {
        const double *k = grid + row * COLUMNS;
        double *out = results + row * RESULTS;
        double shares = round_down(0.5 * start / close[0], k[STEP]);
        double cash = cents(start - cents(shares * close[0])), anchor = close[0], orders = 0.0;
        double peak = 0.0, deepest = 0.0, value = 0.0;
        int trades = 0, inside = 0, days = 0;
        for (int i = 0; i < bars; i++) {
            double p = close[i];
            if (i > 0 && day[i] != day[i - 1]) { orders = 0.0; scratch[days++] = value; }
            double q = decide(p, cash, shares, anchor, orders, k);
            if (q != 0.0) {
                double notional = cents(fabs(q) * p), commission = cents(notional * k[RATE]);
                cash = cents(q > 0.0 ? cash - (notional + commission) : cash + (notional - commission));
                shares = micro(shares + q);
                anchor = micro(p);
                orders += 1.0;
                trades++;
            }
            value = shares * p + cash;
            if (value > peak) peak = value;
            if (value < peak * (1.0 + deepest)) deepest = value / peak - 1.0;
            double stock = shares * p;
            inside += stock >= (k[LOW] - 1e-6) * value && stock <= (k[HIGH] + 1e-6) * value;
        }
        scratch[days++] = value;
        double sum = 0.0, squares = 0.0;
        for (int d = 1; d < days; d++) sum += scratch[d] / scratch[d - 1] - 1.0;
        double mean = sum / (days - 1);
        for (int d = 1; d < days; d++) {
            double x = scratch[d] / scratch[d - 1] - 1.0 - mean;
            squares += x * x;
        }
        out[FINAL] = value;
        out[TRADES] = trades;
        out[DRAWDOWN] = deepest;
        out[SHARPE] = mean / sqrt(squares / (days - 2)) * sqrt(252.0);
        out[INSIDE] = (double)inside / bars;
    }
}
