// Layer-normalised GRU and LSTM as rules; declared in gate_rule.h, equations in product_cell.h.
#include <algorithm>
#include <memory>
#include <vector>

#include "engine/cells/gate_rule.h"
#include "engine/cells/layer_norm.h"
#include "engine/tensor/elementwise.h"

namespace tidegate {
namespace {

// Tape: r, z, n, the normalised U_n h, then the tapes of the four normalisations.
class GruLayerNormRule : public GateRule {
 public:
  explicit GruLayerNormRule(std::size_t units)
      : GateRule(units),
        input_gate_("norm_ih_gate", 2 * units),
        hidden_gate_("norm_hh_gate", 2 * units),
        input_candidate_("norm_ih_candidate", units),
        hidden_candidate_("norm_hh_candidate", units) {}
  std::size_t gates() const override { return 3; }
  std::size_t tape_floats() const override {
    return 4 * units() + 2 * input_gate_.tape_floats() + 2 * input_candidate_.tape_floats();
  }
  void SetWeights(const Tensors& tensors) override {
    for (LayerNorm* norm : {&input_gate_, &hidden_gate_, &input_candidate_, &hidden_candidate_}) {
      norm->SetWeights(tensors);
    }
  }

  void Forward(const float* a, const float* u, const float* h, const float*, float* tape, float* out,
               float*) const override {
    const std::size_t n = units();
    const Parts<float> part = Cut(tape);
    std::fill_n(tape, 4 * n, 0.0f);
    input_gate_.AddTo(a, part.input_gate, tape);
    hidden_gate_.AddTo(u, part.hidden_gate, tape);
    Sigmoid(tape, 2 * n);
    float* const candidate = tape + 2 * n;
    float* const past = tape + 3 * n;
    input_candidate_.AddTo(a + 2 * n, part.input_candidate, candidate);
    hidden_candidate_.AddTo(u + 2 * n, part.hidden_candidate, past);
    for (std::size_t j = 0; j < n; ++j) candidate[j] += tape[j] * past[j];
    Tanh(candidate, n);
    for (std::size_t j = 0; j < n; ++j) out[j] = candidate[j] + tape[n + j] * (h[j] - candidate[j]);
  }

  void Backward(const float*, const float*, const float* h, const float*, const float* tape, const float*,
                const float* d_out, float*, float* d_a, float* d_u, float* d_h,
                Tensors& gradients) const override {
    const std::size_t n = units();
    const Parts<const float> part = Cut(tape);
    std::vector<float> d_gate(2 * n), d_candidate(n), d_past(n);
    for (std::size_t j = 0; j < n; ++j) {
      const float r = tape[j], z = tape[n + j], c = tape[2 * n + j];
      d_candidate[j] = d_out[j] * (1 - z) * (1 - c * c);
      d_past[j] = d_candidate[j] * r;
      d_gate[j] = d_candidate[j] * tape[3 * n + j] * r * (1 - r);
      d_gate[n + j] = d_out[j] * (h[j] - c) * z * (1 - z);
      d_h[j] = d_out[j] * z;
    }
    input_gate_.Backward(d_gate.data(), part.input_gate, d_a, gradients);
    hidden_gate_.Backward(d_gate.data(), part.hidden_gate, d_u, gradients);
    input_candidate_.Backward(d_candidate.data(), part.input_candidate, d_a + 2 * n, gradients);
    hidden_candidate_.Backward(d_past.data(), part.hidden_candidate, d_u + 2 * n, gradients);
  }

 private:
  template <typename T>
  struct Parts {
    T *input_gate, *hidden_gate, *input_candidate, *hidden_candidate;
  };
  template <typename T>
  Parts<T> Cut(T* tape) const {
    const std::size_t gate = input_gate_.tape_floats(), candidate = input_candidate_.tape_floats();
    T* const first = tape + 4 * units();
    return {first, first + gate, first + 2 * gate, first + 2 * gate + candidate};
  }

  LayerNorm input_gate_, hidden_gate_, input_candidate_, hidden_candidate_;
};

// Tape: i, f, g, o, tanh(LN(s')), then the tapes of the three normalisations.
class LstmLayerNormRule : public GateRule {
 public:
  explicit LstmLayerNormRule(std::size_t units)
      : GateRule(units),
        input_("norm_ih", 4 * units),
        hidden_("norm_hh", 4 * units),
        cell_("norm_cell", units) {}
  std::size_t gates() const override { return 4; }
  bool has_cell() const override { return true; }
  std::size_t tape_floats() const override {
    return 5 * units() + 2 * input_.tape_floats() + cell_.tape_floats();
  }
  void SetWeights(const Tensors& tensors) override {
    for (LayerNorm* norm : {&input_, &hidden_, &cell_}) norm->SetWeights(tensors);
  }

  void Forward(const float* a, const float* u, const float*, const float* s, float* tape, float* out,
               float* s_next) const override {
    const std::size_t n = units();
    float* const norms = tape + 5 * n;
    std::fill_n(tape, 5 * n, 0.0f);
    input_.AddTo(a, norms, tape);
    hidden_.AddTo(u, norms + input_.tape_floats(), tape);
    Sigmoid(tape, 2 * n);
    Tanh(tape + 2 * n, n);
    Sigmoid(tape + 3 * n, n);
    for (std::size_t j = 0; j < n; ++j) s_next[j] = tape[n + j] * s[j] + tape[j] * tape[2 * n + j];
    float* const squashed = tape + 4 * n;
    cell_.AddTo(s_next, norms + 2 * input_.tape_floats(), squashed);
    Tanh(squashed, n);
    for (std::size_t j = 0; j < n; ++j) out[j] = tape[3 * n + j] * squashed[j];
  }

  void Backward(const float*, const float*, const float*, const float* s, const float* tape, const float*,
                const float* d_out, float* ds, float* d_a, float* d_u, float* d_h,
                Tensors& gradients) const override {
    const std::size_t n = units();
    const float* const norms = tape + 5 * n;
    std::vector<float> d_gate(4 * n), d_squashed(n), d_cell(n);
    for (std::size_t j = 0; j < n; ++j) {
      const float q = tape[4 * n + j];
      d_squashed[j] = d_out[j] * tape[3 * n + j] * (1 - q * q);
    }
    cell_.Backward(d_squashed.data(), norms + 2 * input_.tape_floats(), d_cell.data(), gradients);
    for (std::size_t j = 0; j < n; ++j) {
      const float i = tape[j], f = tape[n + j], g = tape[2 * n + j], o = tape[3 * n + j];
      const float total = ds[j] + d_cell[j];
      d_gate[j] = total * g * i * (1 - i);
      d_gate[n + j] = total * s[j] * f * (1 - f);
      d_gate[2 * n + j] = total * i * (1 - g * g);
      d_gate[3 * n + j] = d_out[j] * tape[4 * n + j] * o * (1 - o);
      ds[j] = total * f;
      d_h[j] = 0;
    }
    input_.Backward(d_gate.data(), norms, d_a, gradients);
    hidden_.Backward(d_gate.data(), norms + input_.tape_floats(), d_u, gradients);
  }

 private:
  LayerNorm input_, hidden_, cell_;
};

}  // namespace

std::unique_ptr<GateRule> MakeGruLayerNormRule(std::size_t units) {
  return std::make_unique<GruLayerNormRule>(units);
}
std::unique_ptr<GateRule> MakeLstmLayerNormRule(std::size_t units) {
  return std::make_unique<LstmLayerNormRule>(units);
}

}  // namespace tidegate
