#include "engine/tensor/packed_linear.h"

#include <algorithm>
#include <cstdint>

#include "engine/tensor/dnnl_compat.h"

namespace tidegate {
namespace {

// Rows of one oneDNN call. oneDNN picks its kernel by the number of rows, so it is the same for every batch;
// 16 rows reach four fifths of the speed of many.
constexpr std::size_t kBlock = 16;

using dnnl::memory;

memory::desc Plain(std::size_t rows, std::size_t cols) {
  return {memory::dims{static_cast<memory::dim>(rows), static_cast<memory::dim>(cols)},
          memory::data_type::f32, memory::format_tag::ab};
}

}  // namespace

struct PackedLinear::Scratch::Impl {
  dnnl::stream stream{CpuEngine()};
  std::vector<std::uint8_t> scratchpad;
  std::vector<float> x;  // the last, padded block
  std::vector<float> y;
};

PackedLinear::Scratch::Scratch() : impl_(std::make_unique<Impl>()) {}
PackedLinear::Scratch::~Scratch() = default;

struct PackedLinear::Packed {
  Packed(const float* weights_data, const float* bias_data, std::size_t outputs, std::size_t inputs)
      : bias(Plain(1, outputs), CpuEngine()) {
    const OneThread one_thread;
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // else bound to the creating thread
    const auto n = static_cast<memory::dim>(outputs);
    const auto k = static_cast<memory::dim>(inputs);
    const memory::desc any(memory::dims{k, n}, memory::data_type::f32, memory::format_tag::any);
    const auto description = MakeForward<dnnl::matmul>(CpuEngine(), attributes, Plain(kBlock, inputs), any,
                                                       Plain(1, outputs), Plain(kBlock, outputs));
    scratchpad = description.scratchpad_desc();
    matmul = dnnl::matmul(description);
    weights = memory(description.weights_desc(), CpuEngine());

    // W [N, K] row-major is its transpose [K, N] column-major.
    const memory::desc transposed(memory::dims{k, n}, memory::data_type::f32, memory::format_tag::ba);
    memory given(transposed, CpuEngine(), const_cast<float*>(weights_data));
    dnnl::stream stream(CpuEngine());
    dnnl::reorder(given, weights).execute(stream, given, weights);
    stream.wait();
    std::copy(bias_data, bias_data + outputs, static_cast<float*>(bias.get_data_handle()));
  }

  memory bias;
  memory weights;
  memory::desc scratchpad;
  dnnl::matmul matmul;
};

PackedLinear::PackedLinear(const float* weights, const float* bias, std::size_t outputs, std::size_t inputs)
    : outputs_(outputs),
      inputs_(inputs),
      packed_(std::make_unique<const Packed>(weights, bias, outputs, inputs)) {}
PackedLinear::~PackedLinear() = default;
PackedLinear::PackedLinear(PackedLinear&&) noexcept = default;

void PackedLinear::Apply(const float* x, float* y, std::size_t rows, Scratch& scratch) const {
  const OneThread one_thread;
  Scratch::Impl& own = *scratch.impl_;
  const std::size_t scratch_bytes = packed_->scratchpad.get_size();
  if (own.scratchpad.size() < scratch_bytes) own.scratchpad.resize(scratch_bytes);
  memory source(Plain(kBlock, inputs_), CpuEngine(), nullptr);
  memory result(Plain(kBlock, outputs_), CpuEngine(), nullptr);
  memory pad(packed_->scratchpad, CpuEngine(), own.scratchpad.data());
  const std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, source},
                                                     {DNNL_ARG_WEIGHTS, packed_->weights},
                                                     {DNNL_ARG_BIAS, packed_->bias},
                                                     {DNNL_ARG_DST, result},
                                                     {DNNL_ARG_SCRATCHPAD, pad}};
  const auto run = [&](const float* from, float* to) {
    source.set_data_handle(const_cast<float*>(from));
    result.set_data_handle(to);
    packed_->matmul.execute(own.stream, arguments);
  };

  const std::size_t whole = rows / kBlock * kBlock;
  for (std::size_t r = 0; r < whole; r += kBlock) run(x + r * inputs_, y + r * outputs_);
  if (whole == rows) return;
  own.x.assign(kBlock * inputs_, 0.0f);
  own.y.resize(kBlock * outputs_);
  std::copy(x + whole * inputs_, x + rows * inputs_, own.x.begin());
  run(own.x.data(), own.y.data());
  std::copy_n(own.y.begin(), (rows - whole) * outputs_, y + whole * outputs_);
}

}  // namespace tidegate
