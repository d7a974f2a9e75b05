// Compiled once per instruction set with TIDEGATE_ISA as the namespace; includes nothing with inline
// functions outside that namespace. Equations: gru_rules.cc and lstm_rule.cc, which are the plain form.
#include "engine/cells/gate_kernel_isa.h"

#include "engine/tensor/vec.h"

namespace tidegate::TIDEGATE_ISA {
namespace {

constexpr std::size_t kRowsTogether = 4;  // biases and their gradients are loaded and stored once for so many

// Calls work(row, end, unit) for vectors of units of a few rows at a time.
template <typename Work>
void ForTiles(std::size_t rows, std::size_t units, Work work) {
  for (std::size_t row = 0; row < rows; row += kRowsTogether) {
    const std::size_t end = row + kRowsTogether < rows ? row + kRowsTogether : rows;
    for (std::size_t unit = 0; unit < units; unit += kWidth) work(row, end, unit);
  }
}

void GruForward(const GateForwardTask& task) {
  const std::size_t n = task.units;
  ForTiles(task.rows, n, [&](std::size_t row, std::size_t end, std::size_t unit) {
    const std::size_t left = n - unit;
    const Vec bias_r = LoadPart(task.bias + unit, left), bias_z = LoadPart(task.bias + n + unit, left),
              bias_n = LoadPart(task.bias + 2 * n + unit, left),
              bias_u = LoadPart(task.candidate_bias + unit, left);
    for (; row < end; ++row) {
      float* const a = task.tape + row * 3 * n + unit;
      const float* const u = task.u + row * 3 * n + unit;
      const Vec r = SigmoidOf(LoadPart(a, left) + LoadPart(u, left) + bias_r);
      const Vec z = SigmoidOf(LoadPart(a + n, left) + LoadPart(u + n, left) + bias_z);
      const Vec linear = LoadPart(u + 2 * n, left) + bias_u;
      const Vec c = TanhOf(Fma(r, linear, LoadPart(a + 2 * n, left) + bias_n));
      StorePart(a, r, left);
      StorePart(a + n, z, left);
      StorePart(a + 2 * n, c, left);
      StorePart(task.linear + row * n + unit, linear, left);
      StorePart(task.out + row * n + unit, Fma(z, LoadPart(task.before + row * n + unit, left) - c, c), left);
    }
  });
}

void GruBackward(const GateBackwardTask& task) {
  const std::size_t n = task.units;
  const Vec one = Fill(1);
  ForTiles(task.rows, n, [&](std::size_t row, std::size_t end, std::size_t unit) {
    const std::size_t left = n - unit;
    Vec sum_r = LoadPart(task.d_bias + unit, left), sum_z = LoadPart(task.d_bias + n + unit, left),
        sum_n = LoadPart(task.d_bias + 2 * n + unit, left), sum_u = LoadPart(task.d_candidate + unit, left);
    for (; row < end; ++row) {
      float* const a = task.tape + row * 3 * n + unit;
      float* const d_u = task.d_u + row * 3 * n + unit;
      float* const linear = task.linear + row * n + unit;
      float* const d_h = task.d_h + row * n + unit;
      const Vec r = LoadPart(a, left), z = LoadPart(a + n, left), c = LoadPart(a + 2 * n, left);
      const Vec d = LoadPart(task.d_out + row * task.d_out_stride + unit, left) + LoadPart(d_h, left);
      const Vec d_n = d * (one - z) * (one - c * c);
      const Vec d_r = d_n * LoadPart(linear, left) * r * (one - r);
      const Vec d_z = d * (LoadPart(task.before + row * n + unit, left) - c) * z * (one - z);
      const Vec d_linear = d_n * r;
      StorePart(a, d_r, left);
      StorePart(a + n, d_z, left);
      StorePart(a + 2 * n, d_n, left);
      StorePart(d_u, d_r, left);
      StorePart(d_u + n, d_z, left);
      StorePart(d_u + 2 * n, d_linear, left);
      StorePart(linear, d_linear, left);
      StorePart(d_h, d * z, left);
      sum_r = sum_r + d_r;
      sum_z = sum_z + d_z;
      sum_n = sum_n + d_n;
      sum_u = sum_u + d_linear;
    }
    StorePart(task.d_bias + unit, sum_r, left);
    StorePart(task.d_bias + n + unit, sum_z, left);
    StorePart(task.d_bias + 2 * n + unit, sum_n, left);
    StorePart(task.d_candidate + unit, sum_u, left);
  });
}

void LstmForward(const GateForwardTask& task) {
  const std::size_t n = task.units;
  ForTiles(task.rows, n, [&](std::size_t row, std::size_t end, std::size_t unit) {
    const std::size_t left = n - unit;
    const Vec bias_i = LoadPart(task.bias + unit, left), bias_f = LoadPart(task.bias + n + unit, left),
              bias_g = LoadPart(task.bias + 2 * n + unit, left),
              bias_o = LoadPart(task.bias + 3 * n + unit, left);
    for (; row < end; ++row) {
      float* const a = task.tape + row * 4 * n + unit;
      const float* const u = task.u + row * 4 * n + unit;
      const Vec i = SigmoidOf(LoadPart(a, left) + LoadPart(u, left) + bias_i);
      const Vec f = SigmoidOf(LoadPart(a + n, left) + LoadPart(u + n, left) + bias_f);
      const Vec g = TanhOf(LoadPart(a + 2 * n, left) + LoadPart(u + 2 * n, left) + bias_g);
      const Vec o = SigmoidOf(LoadPart(a + 3 * n, left) + LoadPart(u + 3 * n, left) + bias_o);
      const Vec s = Fma(f, LoadPart(task.before + row * n + unit, left), i * g);
      StorePart(a, i, left);
      StorePart(a + n, f, left);
      StorePart(a + 2 * n, g, left);
      StorePart(a + 3 * n, o, left);
      StorePart(task.cell + row * n + unit, s, left);
      StorePart(task.out + row * n + unit, o * TanhOf(s), left);
    }
  });
}

void LstmBackward(const GateBackwardTask& task) {
  const std::size_t n = task.units;
  const Vec one = Fill(1);
  ForTiles(task.rows, n, [&](std::size_t row, std::size_t end, std::size_t unit) {
    const std::size_t left = n - unit;
    Vec sum[4];
#pragma GCC unroll 4
    for (std::size_t g = 0; g < 4; ++g) sum[g] = LoadPart(task.d_bias + g * n + unit, left);
    for (; row < end; ++row) {
      float* const a = task.tape + row * 4 * n + unit;
      float* const d_s = task.d_s + row * n + unit;
      const Vec i = LoadPart(a, left), f = LoadPart(a + n, left), g = LoadPart(a + 2 * n, left),
                o = LoadPart(a + 3 * n, left);
      const Vec q = TanhOf(LoadPart(task.cell + row * n + unit, left));
      const Vec d = LoadPart(task.d_out + row * task.d_out_stride + unit, left) +
                    LoadPart(task.d_h + row * n + unit, left);
      Vec total = Fma(d * o, one - q * q, LoadPart(d_s, left));
      if (task.d_cell != nullptr)
        total = total + LoadPart(task.d_cell + row * task.d_out_stride + unit, left);
      const Vec d_a[4] = {total * g * i * (one - i),
                          total * LoadPart(task.before + row * n + unit, left) * f * (one - f),
                          total * i * (one - g * g), d * q * o * (one - o)};
#pragma GCC unroll 4
      for (std::size_t k = 0; k < 4; ++k) {
        StorePart(a + k * n, d_a[k], left);
        sum[k] = sum[k] + d_a[k];
      }
      StorePart(d_s, total * f, left);
    }
#pragma GCC unroll 4
    for (std::size_t g = 0; g < 4; ++g) StorePart(task.d_bias + g * n + unit, sum[g], left);
  });
}

}  // namespace

const GateFunctions kGateFunctions = {GruForward, GruBackward, LstmForward, LstmBackward};

}  // namespace tidegate::TIDEGATE_ISA
