#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

// The cells, the quantile head and the pinball loss once more: plain loops in double precision, written from
// their formulas, for tests to trust. Each is a template over its number: `double`, or `Var`, which remembers
// what it was made of, so that the gradient of a result follows by the chain rule alone (reverse mode) and
// shares no formula with the code under test.
namespace tidegate::reference {

// A number on the tape of operations. Not thread-safe: there is one tape.
class Var {
 public:
  Var(double value = 0) : value_(value) {}  // NOLINT: a constant, meant to be implicit
  // Numbers whose gradient is wanted.
  template <typename Values>
  static std::vector<Var> Leaves(const Values& values) {
    std::vector<Var> leaves;
    leaves.reserve(values.size());
    for (const double value : values) leaves.push_back({value, {kNone, 0}, {kNone, 0}});
    return leaves;
  }

  double value() const { return value_; }

  friend Var operator+(const Var& a, const Var& b) {
    return {a.value_ + b.value_, {a.node_, 1}, {b.node_, 1}};
  }
  friend Var operator-(const Var& a, const Var& b) {
    return {a.value_ - b.value_, {a.node_, 1}, {b.node_, -1}};
  }
  friend Var operator*(const Var& a, const Var& b) {
    return {a.value_ * b.value_, {a.node_, b.value_}, {b.node_, a.value_}};
  }
  friend Var operator/(const Var& a, const Var& b) {
    return {a.value_ / b.value_, {a.node_, 1 / b.value_}, {b.node_, -a.value_ / (b.value_ * b.value_)}};
  }
  friend bool operator<(const Var& a, const Var& b) { return a.value_ < b.value_; }
  friend Var exp(const Var& a) { return {std::exp(a.value_), {a.node_, std::exp(a.value_)}, {kNone, 0}}; }
  friend Var log(const Var& a) { return {std::log(a.value_), {a.node_, 1 / a.value_}, {kNone, 0}}; }

  // d result / d leaf for each of `leaves`; then forgets the tape, and with it every Var.
  static std::vector<double> Gradient(const Var& result, const std::vector<Var>& leaves) {
    std::vector<double> slope(Tape().size());
    slope[result.node_] = 1;
    for (std::size_t i = Tape().size(); i-- > 0;) {
      for (const Edge& edge : {Tape()[i].a, Tape()[i].b}) {
        if (edge.node != kNone) slope[edge.node] += edge.slope * slope[i];
      }
    }
    std::vector<double> gradient;
    gradient.reserve(leaves.size());
    for (const Var& leaf : leaves) gradient.push_back(slope[leaf.node_]);
    Tape().clear();
    return gradient;
  }

 private:
  static constexpr std::size_t kNone = -1;
  struct Edge {
    std::size_t node;
    double slope;
  };
  struct Node {
    Edge a, b;
  };
  static std::vector<Node>& Tape() {
    static std::vector<Node> tape;
    return tape;
  }

  Var(double value, Edge a, Edge b) : value_(value), node_(Tape().size()) { Tape().push_back({a, b}); }

  double value_;
  std::size_t node_ = kNone;
};

template <typename T>
using Vector = std::vector<T>;

template <typename T>
T Sigmoid(const T& v) {
  using std::exp;
  return T(1) / (T(1) + exp(T(0) - v));
}
template <typename T>
T Tanh(const T& v) {
  using std::exp;
  return T(1) - T(2) / (exp(T(2) * v) + T(1));
}
template <typename T>
T Softplus(const T& v) {
  using std::exp, std::log;
  return log(T(1) + exp(v));
}

// weights [rows, x.size()] times x, plus bias [rows].
template <typename T>
Vector<T> Dense(const Vector<T>& weights, const Vector<T>& bias, const Vector<T>& x) {
  Vector<T> y = bias;
  const std::size_t n = x.size();
  for (std::size_t r = 0; r < y.size(); ++r) {
    const T* const row = weights.data() + r * n;
    T a = T(0), b = T(0), c = T(0), d = T(0);  // one sum would wait for itself
    std::size_t i = 0;
    for (; i + 4 <= n; i += 4) {
      a = a + row[i] * x[i];
      b = b + row[i + 1] * x[i + 1];
      c = c + row[i + 2] * x[i + 2];
      d = d + row[i + 3] * x[i + 3];
    }
    for (; i < n; ++i) a = a + row[i] * x[i];
    y[r] = y[r] + ((a + b) + (c + d));
  }
  return y;
}

// As RecurrentWeights, flat.
template <typename T>
struct Weights {
  Vector<T> input, hidden, input_bias, hidden_bias;
};

// engine/cells/gru.h: h [H] in place.
template <typename T>
void GruStep(const Weights<T>& weights, const Vector<T>& x, Vector<T>& h) {
  const std::size_t units = h.size();
  const Vector<T> a = Dense(weights.input, weights.input_bias, x);
  const Vector<T> u = Dense(weights.hidden, weights.hidden_bias, h);
  for (std::size_t j = 0; j < units; ++j) {
    const T r = Sigmoid(a[j] + u[j]);
    const T z = Sigmoid(a[units + j] + u[units + j]);
    const T n = Tanh(a[2 * units + j] + r * u[2 * units + j]);
    h[j] = (T(1) - z) * n + z * h[j];
  }
}

// engine/cells/lstm.h: h [H] and s [H] in place.
template <typename T>
void LstmStep(const Weights<T>& weights, const Vector<T>& x, Vector<T>& h, Vector<T>& s) {
  const std::size_t units = h.size();
  const Vector<T> a = Dense(weights.input, weights.input_bias, x);
  const Vector<T> u = Dense(weights.hidden, weights.hidden_bias, h);
  for (std::size_t j = 0; j < units; ++j) {
    const auto gate = [&](std::size_t g) { return a[g * units + j] + u[g * units + j]; };
    s[j] = Sigmoid(gate(1)) * s[j] + Sigmoid(gate(0)) * Tanh(gate(2));
    h[j] = Sigmoid(gate(3)) * Tanh(s[j]);
  }
}

// engine/layers/quantile_head.h: the quantiles [horizon * Q] of one hidden state.
template <typename T>
Vector<T> Uncross(Vector<T> a, std::size_t quantiles) {
  for (std::size_t row = 0; row < a.size(); row += quantiles) {
    const std::size_t middle = row + quantiles / 2;
    for (std::size_t q = middle + 1; q < row + quantiles; ++q) a[q] = a[q - 1] + Softplus(a[q]);
    for (std::size_t q = middle; q-- > row;) a[q] = a[q + 1] - Softplus(a[q]);
  }
  return a;
}

// engine/train/loss.h, one target and one quantile.
template <typename T>
T Pinball(double target, double quantile, const T& forecast) {
  const T error = T(target) - forecast;
  return error < T(0) ? T(quantile - 1) * error : T(quantile) * error;
}

}  // namespace tidegate::reference
