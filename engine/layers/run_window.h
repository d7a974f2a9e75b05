#pragma once

#include <cstddef>

#include "engine/cells/layer.h"
#include "engine/tensor/scratch.h"

namespace tidegate {

// Steps a layer through windows of T readings of B streams, from zero states, bit for bit as step by step. x:
// T*B pointers to rows of I floats, time-major. y: set to T*B pointers to rows of O floats in `scratch`;
// states: to B pointers to the states after the last reading, there too. Thread-safe as Layer::Step.
void RunWindow(const Layer& layer, const float* const* x, std::size_t steps, std::size_t batch,
               Scratch& scratch, const float** y, float** states);

}  // namespace tidegate
