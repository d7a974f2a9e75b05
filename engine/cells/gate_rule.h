#pragma once

#include <cstddef>
#include <memory>

#include "engine/tensor/tensors.h"

namespace tidegate {

// What tells one recurrent layer from another: how a step's new state follows, unit by unit, from the
// products of the weights with the input, a = W x + b [G*H], and with the state, u = U h + c [G*H], and back.
// One row (one stream, one step) at a time; the products are the caller's (product_cell.h,
// recurrent_sequence.h). Holds the rule's own weights, if any. Const methods are safe from any thread.
class GateRule {
 public:
  explicit GateRule(std::size_t units) : units_(units) {}
  virtual ~GateRule() = default;
  std::size_t units() const { return units_; }     // H
  virtual std::size_t gates() const = 0;           // G
  virtual bool has_cell() const { return false; }  // a cell state s [H] beside h
  virtual std::size_t tape_floats() const = 0;     // what Backward needs of Forward

  // h, s: the state before; s null without one. Sets the tape, out [H] (the new h, before any projection) and
  // s_next [H].
  virtual void Forward(const float* a, const float* u, const float* h, const float* s, float* tape,
                       float* out, float* s_next) const = 0;

  // d_out [H]: d loss / d out. ds [H]: d loss / d s_next, replaced by d loss / d s. Sets d_a and d_u [G*H],
  // and d_h [H]: what reaches h without passing U (not with a projection, where out is not h). Adds to the
  // rule's own entries of `gradients`.
  virtual void Backward(const float* a, const float* u, const float* h, const float* s, const float* tape,
                        const float* s_next, const float* d_out, float* ds, float* d_a, float* d_u,
                        float* d_h, Tensors& gradients) const = 0;

  // Takes the rule's own weights anew from the layer's tensors.
  virtual void SetWeights(const Tensors&) {}

 private:
  std::size_t units_;
};

// Equations and sources: gru.h, lstm.h (peepholes if the tensors have them) and product_cell.h.
std::unique_ptr<GateRule> MakeGruRule(std::size_t units);
std::unique_ptr<GateRule> MakeGluGruRule(std::size_t units);
std::unique_ptr<GateRule> MakeGruLayerNormRule(std::size_t units);
std::unique_ptr<GateRule> MakeLstmRule(std::size_t units, bool peepholes);
std::unique_ptr<GateRule> MakeLstmLayerNormRule(std::size_t units);

}  // namespace tidegate
