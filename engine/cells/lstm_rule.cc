// The LSTM, with or without peepholes, as a rule; declared in gate_rule.h.
#include <memory>
#include <vector>

#include "engine/cells/gate_rule.h"
#include "engine/tensor/elementwise.h"

namespace tidegate {
namespace {

// Tape: i, f, g, o, tanh(s').
class LstmRule : public GateRule {
 public:
  LstmRule(std::size_t units, bool peepholes) : GateRule(units), peephole_(peepholes ? 3 * units : 0) {}
  std::size_t gates() const override { return 4; }
  bool has_cell() const override { return true; }
  std::size_t tape_floats() const override { return 5 * units(); }
  void SetWeights(const Tensors& tensors) override {
    if (!peephole_.empty()) peephole_ = tensors.at("peephole").values;
  }

  void Forward(const float* a, const float* u, const float*, const float* s, float* tape, float* out,
               float* s_next) const override {
    const std::size_t n = units();
    for (std::size_t j = 0; j < 4 * n; ++j) tape[j] = a[j] + u[j];
    Look(s, 0, tape);
    Look(s, 1, tape + n);
    Sigmoid(tape, 2 * n);
    Tanh(tape + 2 * n, n);
    for (std::size_t j = 0; j < n; ++j) s_next[j] = tape[n + j] * s[j] + tape[j] * tape[2 * n + j];
    Look(s_next, 2, tape + 3 * n);
    Sigmoid(tape + 3 * n, n);
    float* const squashed = tape + 4 * n;
    for (std::size_t j = 0; j < n; ++j) squashed[j] = s_next[j];
    Tanh(squashed, n);
    for (std::size_t j = 0; j < n; ++j) out[j] = tape[3 * n + j] * squashed[j];
  }

  void Backward(const float*, const float*, const float*, const float* s, const float* tape,
                const float* s_next, const float* d_out, float* ds, float* d_a, float* d_u, float* d_h,
                Tensors& gradients) const override {
    const std::size_t n = units();
    const bool peepholes = !peephole_.empty();
    float* const d_peephole = peepholes ? gradients.at("peephole").values.data() : nullptr;
    for (std::size_t j = 0; j < n; ++j) {
      const float i = tape[j], f = tape[n + j], g = tape[2 * n + j], o = tape[3 * n + j], q = tape[4 * n + j];
      const float d_o = d_out[j] * q * o * (1 - o);
      float total = ds[j] + d_out[j] * o * (1 - q * q);
      if (peepholes) total += d_o * peephole_[2 * n + j];
      const float d_i = total * g * i * (1 - i);
      const float d_f = total * s[j] * f * (1 - f);
      d_a[j] = d_i;
      d_a[n + j] = d_f;
      d_a[2 * n + j] = total * i * (1 - g * g);
      d_a[3 * n + j] = d_o;
      ds[j] = total * f;
      d_h[j] = 0;
      if (!peepholes) continue;
      ds[j] += d_i * peephole_[j] + d_f * peephole_[n + j];
      d_peephole[j] += d_i * s[j];
      d_peephole[n + j] += d_f * s[j];
      d_peephole[2 * n + j] += d_o * s_next[j];
    }
    for (std::size_t j = 0; j < 4 * n; ++j) d_u[j] = d_a[j];
  }

 private:
  // Adds the peephole's share to the sums of a gate.
  void Look(const float* s, std::size_t which, float* sums) const {
    if (peephole_.empty()) return;
    for (std::size_t j = 0; j < units(); ++j) sums[j] += peephole_[which * units() + j] * s[j];
  }

  std::vector<float> peephole_;  // [3, H] or empty
};

}  // namespace

std::unique_ptr<GateRule> MakeLstmRule(std::size_t units, bool peepholes) {
  return std::make_unique<LstmRule>(units, peepholes);
}

}  // namespace tidegate
