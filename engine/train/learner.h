#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/model/spec.h"
#include "engine/tensor/tensors.h"
#include "engine/train/adam.h"
#include "engine/train/checkpoint.h"
#include "engine/train/dataset.h"
#include "engine/train/loss.h"
#include "engine/train/network.h"
#include "engine/train/random.h"
#include "engine/train/trainer.h"

namespace tidegate {

// The weights of a network in training, their gradient and what moves them. With several workers each takes
// an equal part of every batch on a thread of its own, with a copy of the network and random numbers of its
// own, and their gradients are added in one order: the bits depend on the number of workers, not on chance.
// Borrows what it is made with. Not thread-safe.
class Learner {
 public:
  Learner(const ModelSpec& spec, const TrainOptions& options, const std::vector<PreparedSeries>& data,
          const Loss& loss, std::size_t workers);
  Learner(const Learner&) = delete;  // adam_ points into it
  Learner& operator=(const Learner&) = delete;

  void SetWeights(const Tensors& weights);

  // Those to keep: the running mean, if there is one.
  Tensors weights();

  // One pass over the training rows; returns the mean loss. go_on: called after each batch with the share of
  // the pass that is done; false: it ends there. May be null.
  double Epoch(double learning_rate, const std::function<bool(double)>& go_on = nullptr);

  // After an epoch: with this state another learner of the same training goes on bit for bit.
  // InvalidArgument: the state of another network or of another number of workers.
  LearnerState state() const;
  absl::Status SetState(const LearnerState& state);

 private:
  struct Worker {
    Worker(const ModelSpec& spec, std::uint64_t seed);
    Random random;
    Network network;
    Arrays weights, gradients;  // of network
    std::span<const Sequence> sequences;
    Chunk chunk;
    Matrix outputs, d_outputs;
    double loss = 0;  // of the last chunk
  };

  std::size_t Spacing() const;   // readings from the begin of one sequence to that of the next
  std::vector<Sequence> Draw();  // those of an epoch
  // One batch of sequences, from zero states, with an update after every chunk of steps.
  void Learn(std::span<const Sequence> batch, double learning_rate);
  // A worker's part of a chunk: from its sequences to its gradient.
  void Forward(Worker& worker, std::size_t first, std::size_t steps);
  void Backward(Worker& worker, std::size_t known);
  template <typename Work>
  void InParallel(Work work);
  void Update(double learning_rate);
  void Average();

  const ModelSpec& spec_;
  const TrainOptions& options_;
  const std::vector<PreparedSeries>& data_;
  const Loss& loss_;
  Random random_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Adam adam_;  // of the first worker's weights, by its gradients
  double loss_sum_ = 0;
  std::size_t loss_count_ = 0;
  std::size_t updates_ = 0;
  std::vector<float> mean_;  // of the weights, all arrays in order; empty: not kept
};

}  // namespace tidegate
