#include "tests/bench/onednn_peers.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "engine/tensor/dnnl_compat.h"
#include "tests/bench/bench_isa.h"

namespace tidegate {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

memory::desc Describe(const memory::dims& dims, Tag tag) { return {dims, memory::data_type::f32, tag}; }

// `values` in the layout that a primitive asked for.
memory Packed(const std::vector<float>& values, const memory::desc& given, const memory::desc& wanted) {
  memory source(given, CpuEngine(), const_cast<float*>(values.data()));
  memory packed(wanted, CpuEngine());
  dnnl::stream stream(CpuEngine());
  dnnl::reorder(source, packed).execute(stream, source, packed);
  stream.wait();
  return packed;
}

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

// Gate rows in oneDNN's order: GRU u, r, o from PyTorch's r, z, n; LSTM is the same in both.
template <typename Values>
std::vector<float> GateRows(bool lstm, const Values& values, std::size_t columns, std::size_t units) {
  const std::size_t block = units * columns;
  std::vector<float> rows(values.begin(), values.end());
  if (!lstm) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(block), block, rows.begin());
    std::copy_n(values.begin(), block, rows.begin() + static_cast<std::ptrdiff_t>(block));
  }
  return rows;
}

class RnnPeer : public OneDnnPeer {
 public:
  RnnPeer(bool lstm, const RecurrentWeights& w, std::size_t batch) {
    const OneThread one_thread;
    const auto n = static_cast<memory::dim>(batch);
    const auto i = static_cast<memory::dim>(w.input.cols);
    const auto h = static_cast<memory::dim>(w.hidden.cols);
    const memory::dim g = lstm ? 4 : 3;
    const memory::dim biases = 4;  // lbr_gru has a fourth: the recurrent bias of the candidate
    const auto x = Describe({1, n, i}, Tag::tnc);
    const auto y = Describe({1, n, h}, Tag::tnc);
    const auto state = Describe({1, 1, n, h}, Tag::ldnc);
    const auto any_input = Describe({1, 1, i, g, h}, Tag::any);
    const auto any_hidden = Describe({1, 1, h, g, h}, Tag::any);
    const auto bias = Describe({1, 1, biases, h}, Tag::ldgo);
    const auto direction = dnnl::rnn_direction::unidirectional_left2right;
    const auto inference = dnnl::prop_kind::forward_inference;
    const auto build = [&](const auto& description, dnnl::primitive primitive) {
      primitive_ = std::move(primitive);
      const auto input = Packed(GateRows(lstm, w.input.values, w.input.cols, w.hidden.cols),
                                Describe({1, 1, i, g, h}, Tag::ldgoi), description.weights_layer_desc());
      const auto hidden = Packed(GateRows(lstm, w.hidden.values, w.hidden.cols, w.hidden.cols),
                                 Describe({1, 1, h, g, h}, Tag::ldgoi), description.weights_iter_desc());
      memory scratchpad(description.scratchpad_desc(), CpuEngine());
      arguments_ = {{DNNL_ARG_SRC_LAYER, memory(x, CpuEngine(), nullptr)},
                    {DNNL_ARG_SRC_ITER, memory(state, CpuEngine(), nullptr)},
                    {DNNL_ARG_WEIGHTS_LAYER, input},
                    {DNNL_ARG_WEIGHTS_ITER, hidden},
                    {DNNL_ARG_BIAS, memory(bias, CpuEngine())},
                    {DNNL_ARG_DST_LAYER, memory(y, CpuEngine())},
                    {DNNL_ARG_DST_ITER, memory(state, CpuEngine(), nullptr)},
                    {DNNL_ARG_SCRATCHPAD, scratchpad}};
    };
    if (lstm) {
      const auto description =
          MakeForward<dnnl::lstm_forward>(CpuEngine(), UserScratchpad(), inference, direction, x, state,
                                          state, any_input, any_hidden, bias, y, state, state);
      build(description, dnnl::lstm_forward(description));
      arguments_.emplace(DNNL_ARG_SRC_ITER_C, memory(state, CpuEngine(), nullptr));
      arguments_.emplace(DNNL_ARG_DST_ITER_C, memory(state, CpuEngine(), nullptr));
    } else {
      const auto description =
          MakeForward<dnnl::lbr_gru_forward>(CpuEngine(), UserScratchpad(), inference, direction, x, state,
                                             any_input, any_hidden, bias, y, state);
      build(description, dnnl::lbr_gru_forward(description));
    }
    FillBias(lstm, w, static_cast<float*>(arguments_.at(DNNL_ARG_BIAS).get_data_handle()));
  }

  void Step(const float* x, float* h, float* s) override {
    arguments_.at(DNNL_ARG_SRC_LAYER).set_data_handle(const_cast<float*>(x));
    arguments_.at(DNNL_ARG_SRC_ITER).set_data_handle(h);
    arguments_.at(DNNL_ARG_DST_ITER).set_data_handle(h);
    if (s != nullptr) {
      arguments_.at(DNNL_ARG_SRC_ITER_C).set_data_handle(s);
      arguments_.at(DNNL_ARG_DST_ITER_C).set_data_handle(s);
    }
    primitive_.execute(stream_, arguments_);
  }

 private:
  static void FillBias(bool lstm, const RecurrentWeights& w, float* out) {
    const std::size_t h = w.hidden.cols;
    for (std::size_t j = 0; j < h; ++j) {
      const auto sum = [&](std::size_t gate) {
        return w.input_bias[gate * h + j] + w.hidden_bias[gate * h + j];
      };
      if (lstm) {
        for (std::size_t gate = 0; gate < 4; ++gate) out[gate * h + j] = sum(gate);
      } else {
        out[j] = sum(1);
        out[h + j] = sum(0);
        out[2 * h + j] = w.input_bias[2 * h + j];
        out[3 * h + j] = w.hidden_bias[2 * h + j];
      }
    }
  }

  dnnl::stream stream_{CpuEngine()};
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> arguments_;
};

class MatmulPeer : public OneDnnPeer {
 public:
  MatmulPeer(bool lstm, const RecurrentWeights& w, std::size_t batch)
      : lstm_(lstm),
        batch_(batch),
        units_(w.hidden.cols),
        rows_((lstm ? 4 : 3) * w.hidden.cols),
        x_product_(batch * rows_),
        h_product_(batch * rows_) {
    Build(w.input, w.input_bias, x_product_.data(), input_, input_arguments_);
    Build(w.hidden, w.hidden_bias, h_product_.data(), hidden_, hidden_arguments_);
  }

  void Step(const float* x, float* h, float* s) override {
    input_arguments_.at(DNNL_ARG_SRC).set_data_handle(const_cast<float*>(x));
    hidden_arguments_.at(DNNL_ARG_SRC).set_data_handle(h);
    input_.execute(stream_, input_arguments_);
    hidden_.execute(stream_, hidden_arguments_);
    const BenchFunctions& functions = ChosenBenchFunctions();
    for (std::size_t b = 0; b < batch_; ++b) {
      const float* const from_x = &x_product_[b * rows_];
      const float* const from_h = &h_product_[b * rows_];
      if (lstm_) {
        functions.lstm_gates(from_x, from_h, h + b * units_, s + b * units_, units_);
      } else {
        functions.gru_gates(from_x, from_h, h + b * units_, units_);
      }
    }
  }

 private:
  void Build(const Matrix& weights, const std::vector<float>& bias, float* result, dnnl::matmul& matmul,
             std::unordered_map<int, memory>& arguments) const {
    const OneThread one_thread;
    const auto m = static_cast<memory::dim>(batch_);
    const auto k = static_cast<memory::dim>(weights.cols);
    const auto n = static_cast<memory::dim>(rows_);
    const auto source = Describe({m, k}, Tag::ab);
    const auto target = Describe({m, n}, Tag::ab);
    const auto bias_row = Describe({1, n}, Tag::ab);
    const auto description = MakeForward<dnnl::matmul>(CpuEngine(), UserScratchpad(), source,
                                                       Describe({k, n}, Tag::any), bias_row, target);
    matmul = dnnl::matmul(description);
    arguments = {
        {DNNL_ARG_SRC, memory(source, CpuEngine(), nullptr)},
        {DNNL_ARG_WEIGHTS, Packed(weights.values, Describe({k, n}, Tag::ba), description.weights_desc())},
        {DNNL_ARG_BIAS, Packed(bias, bias_row, bias_row)},
        {DNNL_ARG_DST, memory(target, CpuEngine(), result)},
        {DNNL_ARG_SCRATCHPAD, memory(description.scratchpad_desc(), CpuEngine())}};
  }

  bool lstm_;
  std::size_t batch_, units_, rows_;
  std::vector<float> x_product_, h_product_;
  dnnl::stream stream_{CpuEngine()};
  dnnl::matmul input_, hidden_;
  std::unordered_map<int, memory> input_arguments_, hidden_arguments_;
};

}  // namespace

std::unique_ptr<OneDnnPeer> MakeRnnPeer(bool lstm, const RecurrentWeights& weights, std::size_t batch) {
  return std::make_unique<RnnPeer>(lstm, weights, batch);
}
std::unique_ptr<OneDnnPeer> MakeMatmulPeer(bool lstm, const RecurrentWeights& weights, std::size_t batch) {
  return std::make_unique<MatmulPeer>(lstm, weights, batch);
}

}  // namespace tidegate
