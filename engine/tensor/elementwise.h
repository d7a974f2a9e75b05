#pragma once

#include <cstddef>

namespace tidegate {

// Activations and gate passes, vectorised with AVX-512, AVX2 or portable code, chosen once per process from
// what the CPU has. Largest absolute error of the activations 3e-7 over all floats. Results may differ in
// their last bits between instruction sets, never between runs or positions on one. Safe from any thread.

// "avx512", "avx2" or "portable".
const char* InstructionSet();

void Sigmoid(float* values, std::size_t n);  // in place: 1 / (1 + exp(-v))
void Tanh(float* values, std::size_t n);     // in place

// One GRU step of one stream from its two products; gates in PyTorch's order r, z, n.
//   r = sigmoid(x_r + u_r)   z = sigmoid(x_z + u_z)   n = tanh(x_n + r * u_n)   h = (1 - z) * n + z * h
// x [3H] = W x + b, u [3H] = U h + c, h [H] in place.
void GruGates(const float* x, const float* u, float* h, std::size_t units);

// One LSTM step of one stream; gates in PyTorch's order i, f, g, o.
//   c = sigmoid(f) * c + sigmoid(i) * tanh(g)   h = sigmoid(o) * tanh(c)
// x [4H] and u [4H] are added to give the gates; h [H] is written, c [H] changed in place.
void LstmGates(const float* x, const float* u, float* h, float* c, std::size_t units);

}  // namespace tidegate
