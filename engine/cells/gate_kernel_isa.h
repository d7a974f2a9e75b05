#pragma once

#include <cstddef>

namespace tidegate {

// What one time step of a batch of sequences does beside its products, for one instruction set;
// gate_kernel_isa.cc is compiled once for each. B = rows, H = units, G = 3 (GRU) or 4 (LSTM) gates.
struct GateForwardTask {
  std::size_t rows, units;
  float* tape;                  // [B, G*H] W x, replaced by the gates: r, z, n or i, f, g, o
  const float* u;               // [B, G*H] U h
  const float* bias;            // [G*H] of W x; where a gate adds both products, that of U h too
  const float* candidate_bias;  // GRU: [H] of U_n h
  const float* before;          // [B, H] GRU: h; LSTM: s
  float* linear;                // GRU: [B, H] set to U_n h + c_n
  float* cell;                  // LSTM: [B, H] set to s'
  float* out;                   // [B, H] set to h'
};

struct GateBackwardTask {
  std::size_t rows, units;
  float* tape;          // [B, G*H] the gates, replaced by the gradient of W x
  const float* before;  // as above
  const float* cell;    // LSTM: [B, H] s'
  float* linear;        // GRU: [B, H] U_n h + c_n, replaced by its gradient
  const float* d_out;   // [B, d_out_stride] of h', by way of this step's output alone
  std::size_t d_out_stride;
  const float* d_cell;  // LSTM: the same of s'; null: none
  float* d_h;           // [B, H] of h', by way of later steps; GRU: replaced by what reaches h without U
  float* d_s;           // LSTM: [B, H] of s', replaced by that of s
  float* d_u;           // GRU: [B, 3H] set to the gradient of U h
  float* d_bias;        // [G*H] added to
  float* d_candidate;   // GRU: [H] added to: of c_n
};

struct GateFunctions {
  void (*gru_forward)(const GateForwardTask& task);
  void (*gru_backward)(const GateBackwardTask& task);
  void (*lstm_forward)(const GateForwardTask& task);
  void (*lstm_backward)(const GateBackwardTask& task);
};

namespace portable {
extern const GateFunctions kGateFunctions;
}
#if defined(__x86_64__)
namespace avx2 {
extern const GateFunctions kGateFunctions;
}
namespace avx512 {
extern const GateFunctions kGateFunctions;
}
namespace avx512_bf16 {
extern const GateFunctions kGateFunctions;
}
#endif

}  // namespace tidegate
