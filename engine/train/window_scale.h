#pragma once

#include <cstddef>
#include <vector>

#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"

namespace tidegate {

// Instance normalisation of windows (ModelSpec::instance_normalisation) while a network is trained: each
// input column less its mean over the window, divided by its deviation, and the forecast back from that
// scale, as Model does it.
class WindowScale {
 public:
  explicit WindowScale(const ModelSpec& spec);

  // x [T*B, inputs], time-major: whole windows. Sets `scaled` likewise.
  void Apply(const Matrix& x, std::size_t batch, Matrix& scaled);

  // outputs [B, steps*Q] in the windows' scale: into the head's unit.
  void Undo(Matrix& outputs) const;
  // From what Undo gave to what it took.
  void Redo(Matrix& outputs) const;
  // d_outputs: from the gradient with respect to what Undo gave to that with respect to what it took.
  void BackThroughUndo(Matrix& d_outputs) const;

 private:
  float Factor(std::size_t b, std::size_t output) const;

  std::size_t target_, levels_;
  float deviation_;
  std::vector<float> unit_;        // step_deviation
  std::vector<float> last_, own_;  // [B]: of the target, in the window's scale; its deviation there
};

}  // namespace tidegate
