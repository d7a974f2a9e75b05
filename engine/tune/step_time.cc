#include "engine/tune/step_time.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "engine/stream/residual_table.h"
#include "engine/train/random.h"

namespace tidegate {
namespace {

constexpr int kRuns = 5;
constexpr double kRunSeconds = 2e-3;

}  // namespace

absl::StatusOr<std::shared_ptr<const Model>> UntrainedModel(ModelSpec spec) {
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;
  Tensors tensors = Model::ZeroParameters(spec);
  tensors["residuals.quantiles"] = ZeroTensor({ResidualTable::kLevels});
  tensors["residuals.count"] = {{1}, {1}};
  tensors["golden.values"] = ZeroTensor({1, spec.features.size()});
  tensors["golden.forecast"] = ZeroTensor({spec.horizon, spec.quantiles.size()});
  return Model::Create(std::move(spec), tensors);
}

double StepSeconds(const Model& model, std::size_t batch) {
  using Clock = std::chrono::steady_clock;
  const ModelSpec& spec = model.spec();
  Random random(1);
  std::vector<float> inputs(batch * spec.inputs());
  for (float& input : inputs) input = random.Uniform(1);
  std::vector<float> floats(batch * model.state_floats()), outputs(batch * spec.outputs());
  std::vector<float*> states;
  states.reserve(batch);
  for (std::size_t b = 0; b < batch; ++b) states.push_back(floats.data() + b * model.state_floats());
  Model::Workspace workspace;
  // A window is full first, or it would be stepped through in less time.
  for (std::size_t i = 0; i <= spec.window; ++i) model.Step(inputs, states, outputs, workspace);
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < kRuns; ++run) {
    const auto begin = Clock::now();
    std::size_t steps = 0;
    double seconds = 0;
    while (seconds < kRunSeconds) {
      model.Step(inputs, states, outputs, workspace);
      ++steps;
      seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    }
    best = std::min(best, seconds / static_cast<double>(steps * batch));
  }
  return best;
}

}  // namespace tidegate
