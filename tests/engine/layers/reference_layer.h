#pragma once

#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "engine/layers/layer_spec.h"
#include "tests/engine/layers/reference.h"

// Every kind of layer once more for one stream: plain loops over `double` or `Var`, written from the
// equations in the headers and sharing nothing with the code under test.
namespace tidegate::reference {

template <typename T>
using Parameters = std::map<std::string, Vector<T>>;

// gain * (v - mean) / sqrt(variance + 1e-5) + bias
template <typename T>
Vector<T> Normalise(const Parameters<T>& p, const std::string& name, const Vector<T>& v) {
  using std::exp, std::log;
  const T n(static_cast<double>(v.size()));
  T mean(0), variance(0);
  for (const T& value : v) mean = mean + value / n;
  for (const T& value : v) variance = variance + (value - mean) * (value - mean) / n;
  const T deviation = exp(T(0.5) * log(variance + T(1e-5)));
  Vector<T> y = p.at(name + ".bias");
  for (std::size_t j = 0; j < v.size(); ++j)
    y[j] = y[j] + p.at(name + ".gain")[j] * (v[j] - mean) / deviation;
  return y;
}

template <typename T>
Vector<T> Part(const Vector<T>& v, std::size_t from, std::size_t count) {
  return Vector<T>(v.begin() + static_cast<std::ptrdiff_t>(from),
                   v.begin() + static_cast<std::ptrdiff_t>(from + count));
}

template <typename T>
Vector<T> Product(const Parameters<T>& p, const char* weight, const char* bias, const Vector<T>& x) {
  const auto found = p.find(bias);
  return Dense(p.at(weight),
               found == p.end() ? Vector<T>(p.at(weight).size() / x.size(), T(0)) : found->second, x);
}

template <typename T>
class ReferenceLayer {
 public:
  // state: as the layer's, before the first step; of a convolution zeros.
  ReferenceLayer(const LayerSpec& spec, Parameters<T> parameters, const Vector<T>& state)
      : spec_(spec), p_(std::move(parameters)) {
    if (!IsRecurrent(spec.kind)) return;
    const std::size_t width = spec.projection == 0 ? spec.units : spec.projection;
    h_ = Part(state, 0, width);
    if (IsLstm(spec.kind)) s_ = Part(state, width, spec.units);
  }

  Vector<T> Step(const Vector<T>& x) {
    switch (spec_.kind) {
      case LayerKind::kConv1d:
        return Convolve(x);
      case LayerKind::kLstm:
        return Lstm(x);
      case LayerKind::kLstmLayerNorm:
        return LstmLayerNorm(x);
      default:
        return Gru(x);
    }
  }
  const Vector<T>& h() const { return h_; }
  const Vector<T>& s() const { return s_; }

 private:
  Vector<T> Convolve(const Vector<T>& x) {
    past_.push_back(x);
    const auto now = static_cast<std::ptrdiff_t>(past_.size()) - 1;
    const auto reach = static_cast<std::ptrdiff_t>((spec_.kernel - 1) * spec_.dilation);
    const auto reading = [&](std::ptrdiff_t t) {
      if (t >= 0) return past_[static_cast<std::size_t>(t)];
      return spec_.relative ? past_[0] : Vector<T>(x.size(), T(0));
    };
    Vector<T> y = p_.at("bias");
    for (std::size_t o = 0; o < y.size(); ++o) {
      for (std::size_t k = 0; k < spec_.kernel; ++k) {
        const Vector<T> v = reading(now - reach + static_cast<std::ptrdiff_t>(k * spec_.dilation));
        const Vector<T> before = reading(now - reach - 1);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const T in = spec_.relative ? v[i] - before[i] : v[i];
          y[o] = y[o] + p_.at("weight")[(o * x.size() + i) * spec_.kernel + k] * in;
        }
      }
      if (spec_.relu && y[o] < T(0)) y[o] = T(0);
    }
    return y;
  }

  Vector<T> Gru(const Vector<T>& x) {
    const std::size_t n = spec_.units;
    Vector<T> a = Product(p_, "weight_ih", "bias_ih", x);
    Vector<T> u = Product(p_, "weight_hh", "bias_hh", h_);
    if (spec_.kind == LayerKind::kGruLayerNorm) {
      a = Join(Normalise(p_, "norm_ih_gate", Part(a, 0, 2 * n)),
               Normalise(p_, "norm_ih_candidate", Part(a, 2 * n, n)));
      u = Join(Normalise(p_, "norm_hh_gate", Part(u, 0, 2 * n)),
               Normalise(p_, "norm_hh_candidate", Part(u, 2 * n, n)));
    }
    Vector<T> r(n), z(n), next(n);
    for (std::size_t j = 0; j < n; ++j) {
      r[j] = Sigmoid(a[j] + u[j]);
      z[j] = Sigmoid(a[n + j] + u[n + j]);
    }
    if (spec_.kind == LayerKind::kGruResetBefore) {
      Vector<T> reset(n);
      for (std::size_t j = 0; j < n; ++j) reset[j] = r[j] * h_[j];
      u = Product(p_, "weight_hh", "bias_hh", reset);
    }
    for (std::size_t j = 0; j < n; ++j) {
      const T factor = spec_.kind == LayerKind::kGruResetBefore ? T(1) : r[j];
      const T v = a[2 * n + j] + factor * u[2 * n + j];
      const T candidate =
          spec_.kind == LayerKind::kGluGru ? v * Sigmoid(a[3 * n + j] + r[j] * u[3 * n + j]) : Tanh(v);
      next[j] = (T(1) - z[j]) * candidate + z[j] * h_[j];
    }
    return h_ = next;
  }

  Vector<T> Lstm(const Vector<T>& x) {
    const std::size_t n = spec_.units;
    const Vector<T> a = Product(p_, "weight_ih", "bias_ih", x), u = Product(p_, "weight_hh", "bias_hh", h_);
    const auto gate = [&](std::size_t g, std::size_t j) { return a[g * n + j] + u[g * n + j]; };
    const auto look = [&](std::size_t which, std::size_t j) {
      return spec_.peepholes ? p_.at("peephole")[which * n + j] * s_[j] : T(0);
    };
    Vector<T> out(n);
    for (std::size_t j = 0; j < n; ++j) {
      const T i = Sigmoid(gate(0, j) + look(0, j)), f = Sigmoid(gate(1, j) + look(1, j));
      s_[j] = f * s_[j] + i * Tanh(gate(2, j));
      out[j] = Sigmoid(gate(3, j) + look(2, j)) * Tanh(s_[j]);
    }
    return h_ = spec_.projection == 0 ? out : Product(p_, "weight_hr", "", out);
  }

  Vector<T> LstmLayerNorm(const Vector<T>& x) {
    const std::size_t n = spec_.units;
    const Vector<T> a = Normalise(p_, "norm_ih", Product(p_, "weight_ih", "", x));
    const Vector<T> u = Normalise(p_, "norm_hh", Product(p_, "weight_hh", "", h_));
    const auto gate = [&](std::size_t g, std::size_t j) { return a[g * n + j] + u[g * n + j]; };
    for (std::size_t j = 0; j < n; ++j)
      s_[j] = Sigmoid(gate(1, j)) * s_[j] + Sigmoid(gate(0, j)) * Tanh(gate(2, j));
    const Vector<T> level = Normalise(p_, "norm_cell", s_);
    for (std::size_t j = 0; j < n; ++j) h_[j] = Sigmoid(gate(3, j)) * Tanh(level[j]);
    return h_;
  }

  static Vector<T> Join(Vector<T> a, const Vector<T>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }

  LayerSpec spec_;
  Parameters<T> p_;
  Vector<T> h_, s_;
  std::vector<Vector<T>> past_;
};

// Outputs of one stream over a sequence; a bidirectional layer runs over it as a window. last: the state
// after it.
template <typename T>
std::vector<Vector<T>> RunLayer(LayerSpec spec, const Parameters<T>& parameters,
                                const std::vector<Vector<T>>& x, const Vector<T>& state,
                                Vector<T>* last = nullptr) {
  std::vector<Vector<T>> y;
  if (spec.bidirectional) {
    Parameters<T> direction[2];
    for (const auto& [name, values] : parameters) {
      const std::size_t at = name.rfind("_reverse");
      direction[at == std::string::npos ? 0 : 1][name.substr(0, at)] = values;
    }
    spec.bidirectional = false;
    const Vector<T> zero(2 * spec.units, T(0));
    y = RunLayer(spec, direction[0], x, zero);
    const auto back = RunLayer(spec, direction[1], std::vector<Vector<T>>(x.rbegin(), x.rend()), zero);
    for (std::size_t t = 0; t < y.size(); ++t) {
      const Vector<T>& from = back[y.size() - 1 - t];
      y[t].insert(y[t].end(), from.begin(), from.end());
    }
    return y;
  }
  ReferenceLayer<T> layer(spec, parameters, state);
  for (const Vector<T>& reading : x) y.push_back(layer.Step(reading));
  if (last != nullptr) {
    *last = layer.h();
    last->insert(last->end(), layer.s().begin(), layer.s().end());
  }
  return y;
}

}  // namespace tidegate::reference
