// The GRU and the GLU-GRU as rules; declared in gate_rule.h.
#include <memory>

#include "engine/cells/gate_rule.h"
#include "engine/tensor/elementwise.h"

namespace tidegate {
namespace {

// Tape: r, z, n.
class GruRule : public GateRule {
 public:
  using GateRule::GateRule;
  std::size_t gates() const override { return 3; }
  std::size_t tape_floats() const override { return 3 * units(); }

  void Forward(const float* a, const float* u, const float* h, const float*, float* tape, float* out,
               float*) const override {
    const std::size_t n = units();
    for (std::size_t j = 0; j < 2 * n; ++j) tape[j] = a[j] + u[j];
    Sigmoid(tape, 2 * n);
    float* const candidate = tape + 2 * n;
    for (std::size_t j = 0; j < n; ++j) candidate[j] = a[2 * n + j] + tape[j] * u[2 * n + j];
    Tanh(candidate, n);
    for (std::size_t j = 0; j < n; ++j) out[j] = candidate[j] + tape[n + j] * (h[j] - candidate[j]);
  }

  void Backward(const float*, const float* u, const float* h, const float*, const float* tape, const float*,
                const float* d_out, float*, float* d_a, float* d_u, float* d_h, Tensors&) const override {
    const std::size_t n = units();
    for (std::size_t j = 0; j < n; ++j) {
      const float r = tape[j], z = tape[n + j], c = tape[2 * n + j];
      const float dn = d_out[j] * (1 - z) * (1 - c * c);
      d_a[j] = d_u[j] = dn * u[2 * n + j] * r * (1 - r);
      d_a[n + j] = d_u[n + j] = d_out[j] * (h[j] - c) * z * (1 - z);
      d_a[2 * n + j] = dn;
      d_u[2 * n + j] = dn * r;
      d_h[j] = d_out[j] * z;
    }
  }
};

// Tape: r, z, v (the linear half), sigmoid of the gating half.
class GluGruRule : public GateRule {
 public:
  using GateRule::GateRule;
  std::size_t gates() const override { return 4; }
  std::size_t tape_floats() const override { return 4 * units(); }

  void Forward(const float* a, const float* u, const float* h, const float*, float* tape, float* out,
               float*) const override {
    const std::size_t n = units();
    for (std::size_t j = 0; j < 2 * n; ++j) tape[j] = a[j] + u[j];
    Sigmoid(tape, 2 * n);
    for (std::size_t j = 0; j < n; ++j) {
      tape[2 * n + j] = a[2 * n + j] + tape[j] * u[2 * n + j];
      tape[3 * n + j] = a[3 * n + j] + tape[j] * u[3 * n + j];
    }
    Sigmoid(tape + 3 * n, n);
    for (std::size_t j = 0; j < n; ++j) {
      const float candidate = tape[2 * n + j] * tape[3 * n + j];
      out[j] = candidate + tape[n + j] * (h[j] - candidate);
    }
  }

  void Backward(const float*, const float* u, const float* h, const float*, const float* tape, const float*,
                const float* d_out, float*, float* d_a, float* d_u, float* d_h, Tensors&) const override {
    const std::size_t n = units();
    for (std::size_t j = 0; j < n; ++j) {
      const float r = tape[j], z = tape[n + j], v = tape[2 * n + j], g = tape[3 * n + j];
      const float dn = d_out[j] * (1 - z);
      const float dv = dn * g, dg = dn * v * g * (1 - g);
      d_a[j] = d_u[j] = (dv * u[2 * n + j] + dg * u[3 * n + j]) * r * (1 - r);
      d_a[n + j] = d_u[n + j] = d_out[j] * (h[j] - v * g) * z * (1 - z);
      d_a[2 * n + j] = dv;
      d_a[3 * n + j] = dg;
      d_u[2 * n + j] = dv * r;
      d_u[3 * n + j] = dg * r;
      d_h[j] = d_out[j] * z;
    }
  }
};

}  // namespace

std::unique_ptr<GateRule> MakeGruRule(std::size_t units) { return std::make_unique<GruRule>(units); }
std::unique_ptr<GateRule> MakeGluGruRule(std::size_t units) { return std::make_unique<GluGruRule>(units); }

}  // namespace tidegate
