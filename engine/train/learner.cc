#include "engine/train/learner.h"

#include <omp.h>

#include <algorithm>
#include <barrier>
#include <cmath>
#include <thread>

namespace tidegate {

Learner::Worker::Worker(const ModelSpec& spec, std::uint64_t seed)
    : random(seed), network(spec, RowsOf(spec)), weights(network.Weights()), gradients(network.Gradients()) {}

namespace {

// Readings from one training window to the next: neighbours differ little, and each costs a whole window.
constexpr std::size_t kWindowSpacing = 4;

// Seeds of the workers: far apart for neighbouring seeds of the user.
std::uint64_t SeedOf(std::uint64_t seed, std::size_t worker) {
  return seed + (worker + 1) * std::uint64_t{0x9e3779b97f4a7c15};
}

}  // namespace

Learner::Learner(const ModelSpec& spec, const TrainOptions& options, const std::vector<PreparedSeries>& data,
                 const Loss& loss, std::size_t workers)
    : spec_(spec),
      options_(options),
      data_(data),
      loss_(loss),
      random_(options.seed),
      workers_([&] {
        std::vector<std::unique_ptr<Worker>> made;
        for (std::size_t w = 0; w < std::max<std::size_t>(workers, 1); ++w)
          made.push_back(std::make_unique<Worker>(spec, SeedOf(options.seed, w)));
        return made;
      }()),
      adam_(workers_[0]->weights, workers_[0]->gradients, options.weight_decay) {
  workers_[0]->network.Randomise(random_);
  SetWeights(workers_[0]->network.WeightTensors());
  for (const auto& worker : workers_) worker->network.SetMedianFirst(options.median_first);
}

void Learner::SetWeights(const Tensors& weights) {
  for (const auto& worker : workers_) worker->network.SetWeights(weights);
}

Tensors Learner::weights() {
  Network& network = workers_[0]->network;
  Tensors now = network.WeightTensors();
  if (mean_.empty()) return now;
  std::size_t at = 0;
  for (const auto array : workers_[0]->weights) {
    std::copy_n(&mean_[at], array.size(), array.data());
    at += array.size();
  }
  Tensors kept = network.WeightTensors();
  network.SetWeights(now);
  return kept;
}

std::size_t Learner::Spacing() const {
  const std::size_t every = OutputStride(spec_), length = options_.sequence_length;
  // Of hops a sequence scores few rows, and an epoch scores about every row once.
  std::size_t spacing = every == 1 ? length / 4 : (length - std::min(options_.warm_up, length)) / every;
  if (spec_.window > 0) spacing = kWindowSpacing;
  spacing = std::max<std::size_t>(spacing, 1);
  if (options_.epoch_sequences == 0) return spacing;
  std::size_t rows = 0;
  for (const PreparedSeries& series : data_) rows += series.split;
  return std::max(spacing, rows / options_.epoch_sequences);
}

std::vector<Sequence> Learner::Draw() {
  std::vector<Sequence> sequences =
      spec_.window > 0 ? DrawWindows(data_, spec_.window, Spacing(), random_)
                       : DrawSequences(data_, options_.sequence_length, Spacing(), options_.warm_up, random_);
  if (options_.amplitudes > 0) {
    for (Sequence& sequence : sequences)
      sequence.scale = std::exp(random_.Uniform(static_cast<float>(options_.amplitudes)));
  }
  return sequences;
}

double Learner::Epoch(double learning_rate, const std::function<bool(double)>& go_on) {
  const std::vector<Sequence> sequences = Draw();
  loss_sum_ = 0;
  loss_count_ = 0;
  for (std::size_t begin = 0; begin < sequences.size(); begin += options_.batch) {
    Learn(std::span(sequences).subspan(begin, std::min(options_.batch, sequences.size() - begin)),
          learning_rate);
    const double done = static_cast<double>(std::min(begin + options_.batch, sequences.size()));
    if (go_on && !go_on(done / static_cast<double>(sequences.size()))) break;
  }
  return loss_sum_ / static_cast<double>(std::max<std::size_t>(loss_count_, 1));
}

LearnerState Learner::state() const {
  LearnerState state = {.mean = mean_,
                        .adam_mean = adam_.mean(),
                        .adam_squares = adam_.squares(),
                        .adam_steps = adam_.steps(),
                        .updates = updates_,
                        .random = {random_.State()}};
  for (const auto array : workers_[0]->weights)
    state.weights.insert(state.weights.end(), array.begin(), array.end());
  for (const auto& worker : workers_) state.random.push_back(worker->random.State());
  return state;
}

absl::Status Learner::SetState(const LearnerState& state) {
  const std::size_t floats = adam_.mean().size();
  bool fits = state.weights.size() == floats && state.adam_mean.size() == floats &&
              state.adam_squares.size() == floats && (state.mean.empty() || state.mean.size() == floats) &&
              state.random.size() == workers_.size() + 1;
  fits = fits && random_.SetState(state.random[0]);
  for (std::size_t w = 0; fits && w < workers_.size(); ++w) {
    fits = workers_[w]->random.SetState(state.random[w + 1]);
    std::size_t at = 0;
    for (const auto array : workers_[w]->weights) {
      std::copy_n(&state.weights[at], array.size(), array.data());
      at += array.size();
    }
  }
  if (!fits) return absl::InvalidArgumentError("the checkpoint does not fit the network");
  adam_.SetState(state.adam_mean, state.adam_squares, state.adam_steps);
  mean_ = state.mean;
  updates_ = state.updates;
  return absl::OkStatus();
}

template <typename Work>
void Learner::InParallel(Work work) {
  if (workers_.size() == 1) return work(*workers_[0]);  // the products may have all threads
  // Threads that sleep while they wait, unlike OpenMP's: on a machine with other work these would spin.
  std::vector<std::jthread> threads;
  for (std::size_t w = 1; w < workers_.size(); ++w) {
    threads.emplace_back([&, w] {
      omp_set_num_threads(1);  // of this thread
      work(*workers_[w]);
    });
  }
  const int all = omp_get_max_threads();
  omp_set_num_threads(1);
  work(*workers_[0]);
  omp_set_num_threads(all);
}

void Learner::Learn(std::span<const Sequence> batch, double learning_rate) {
  std::size_t steps = 0;
  for (const Sequence& sequence : batch) steps = std::max(steps, sequence.end - sequence.begin);
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    const std::size_t begin = batch.size() * w / workers_.size();
    const std::size_t end = batch.size() * (w + 1) / workers_.size();
    workers_[w]->sequences = batch.subspan(begin, end - begin);
    workers_[w]->network.Start(end - begin);
  }
  const std::size_t truncation = spec_.window > 0 ? spec_.window : options_.truncation;
  for (std::size_t first = 0; first < steps; first += truncation) {
    const std::size_t now = workers_[0]->network.WholeHops(std::min(truncation, steps - first));
    std::size_t known = 0;
    std::barrier all_forward(static_cast<std::ptrdiff_t>(workers_.size()), [&]() noexcept {
      for (const auto& worker : workers_) known += worker->chunk.known;
    });
    InParallel([&](Worker& worker) {
      Forward(worker, first, now);
      all_forward.arrive_and_wait();
      if (known > 0) Backward(worker, known);
    });
    if (known == 0) continue;
    for (const auto& worker : workers_) loss_sum_ += worker->loss;
    loss_count_ += known * spec_.quantiles.size();
    Update(learning_rate);
  }
}

void Learner::Forward(Worker& worker, std::size_t first, std::size_t steps) {
  worker.chunk.known = 0;
  if (worker.sequences.empty()) return;
  const auto steps_ahead = std::span(spec_.step_deviation).first(OutputSteps(spec_));
  FillChunk(data_, worker.sequences, steps_ahead, first, steps, OutputStride(spec_), worker.chunk);
  if (options_.amplitudes > 0) Amplify(worker.sequences, spec_.value_inputs(), worker.chunk);
  worker.network.Forward(worker.chunk.inputs, &worker.random);
}

void Learner::Backward(Worker& worker, std::size_t known) {
  worker.network.ClearGradients();
  worker.loss = 0;
  if (worker.chunk.known == 0) return;
  worker.network.Decode(worker.outputs, &worker.random);
  worker.d_outputs = worker.outputs;
  const auto count = static_cast<float>(known * spec_.quantiles.size());
  worker.loss = LossGradient(loss_, worker.chunk.targets, 1.0f / count, worker.d_outputs);
  worker.network.Backward(worker.chunk.inputs, worker.outputs, worker.d_outputs);
}

void Learner::Update(double learning_rate) {
  const Worker& first = *workers_[0];
  for (std::size_t w = 1; w < workers_.size(); ++w) {
    for (std::size_t a = 0; a < first.gradients.size(); ++a) {
      const float* const from = workers_[w]->gradients[a].data();
      float* const to = first.gradients[a].data();
      for (std::size_t i = 0; i < first.gradients[a].size(); ++i) to[i] += from[i];
    }
  }
  ClipNorm(first.gradients, options_.clip);
  adam_.Step(learning_rate);
  for (std::size_t w = 1; w < workers_.size(); ++w) {
    for (std::size_t a = 0; a < first.weights.size(); ++a)
      std::ranges::copy(first.weights[a], workers_[w]->weights[a].begin());
  }
  Average();
}

// Moves the running mean towards the weights; at first it is their plain mean.
void Learner::Average() {
  if (options_.averaging == 0) return;
  ++updates_;
  const double keep = std::min(options_.averaging, 1 - 1 / static_cast<double>(updates_));
  const auto kept = static_cast<float>(keep), taken = static_cast<float>(1 - keep);
  std::size_t at = 0;
  for (const auto array : workers_[0]->weights) {
    if (mean_.size() < at + array.size()) mean_.resize(at + array.size());
    for (const float weight : array) {
      mean_[at] = kept * mean_[at] + taken * weight;
      ++at;
    }
  }
}

}  // namespace tidegate
