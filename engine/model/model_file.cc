#include "engine/model/model_file.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/model/read_file.h"
#include "engine/model/safetensors.h"
#include "engine/stream/stream.h"

namespace tidegate {
namespace {

constexpr char kSpecFile[] = "model.json";
constexpr char kWeightsFile[] = "weights.safetensors";

absl::Status WriteFile(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
  file.close();
  if (!file)
    return absl::UnavailableError(absl::StrCat("cannot write ", path.string(), ": ", std::strerror(errno)));
  return absl::OkStatus();
}

absl::Status CheckGolden(const Model& model, const Tensors& tensors) {
  const std::vector<float>& expected = tensors.at("golden.forecast").values;
  const auto [along, scales] = ForecastsAlong(model, tensors.at("golden.values").values);
  const std::span<const float> got = std::span(along).last(expected.size());
  const std::size_t levels = model.spec().quantiles.size();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    // In the scale of the golden stream, a channel's or the stream's own; and a few of the last bits of a
    // value far from 0.
    const float tolerance = 1e-4f * scales.back() * model.spec().step_deviation[i / levels] +
                            4 * std::numeric_limits<float>::epsilon() * std::abs(expected[i]);
    if (!(std::abs(got[i] - expected[i]) <= tolerance)) {
      return absl::DataLossError(absl::StrCat("golden pair: step ", i / levels + 1, " gives ", got[i],
                                              ", stored is ", expected[i],
                                              ": spec and weights do not belong together"));
    }
  }
  return absl::OkStatus();
}

absl::Status In(const std::filesystem::path& path, const absl::Status& status) {
  return {status.code(), absl::StrCat(path.string(), ": ", status.message())};
}

}  // namespace

std::string Sha256(const std::string& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

absl::Status WriteModel(const std::filesystem::path& folder, ModelSpec spec, const Tensors& tensors) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot create ", folder.string(), ": ", error.message()));
  }
  const std::string weights = WriteSafetensors(tensors, spec.precision);
  spec.weights_sha256 = Sha256(weights);
  if (auto s = WriteFile(folder / kWeightsFile, weights); !s.ok()) return s;
  return WriteFile(folder / kSpecFile, WriteSpec(spec));
}

absl::StatusOr<ModelFiles> ReadModelFiles(const std::filesystem::path& folder) {
  const auto json = ReadWholeFile(folder / kSpecFile);
  if (!json.ok()) return json.status();
  const auto weights = ReadWholeFile(folder / kWeightsFile);
  if (!weights.ok()) return weights.status();
  auto spec = ParseSpec(*json);
  if (!spec.ok()) return In(folder / kSpecFile, spec.status());
  if (const std::string found = Sha256(*weights); found != spec->weights_sha256) {
    return In(folder / kWeightsFile,
              absl::DataLossError(absl::StrCat("sha256 is ", found, ", the spec says ", spec->weights_sha256,
                                               ": the file is damaged or belongs to another model")));
  }
  auto tensors = ParseSafetensors(*weights);
  if (!tensors.ok()) return In(folder / kWeightsFile, tensors.status());
  return ModelFiles{*std::move(spec), *std::move(tensors)};
}

absl::StatusOr<std::shared_ptr<const Model>> ReadModel(const std::filesystem::path& folder) {
  auto files = ReadModelFiles(folder);
  if (!files.ok()) return files.status();
  auto model = Model::Create(std::move(files->spec), files->tensors);
  if (!model.ok()) return In(folder, model.status());
  if (auto s = CheckGolden(**model, files->tensors); !s.ok()) return In(folder, s);
  return model;
}

ForecastsOf ForecastsAlong(const Model& model, std::span<const float> values) {
  const ModelSpec& spec = model.spec();
  const std::size_t features = spec.features.size(), readings = values.size() / features;
  StreamHeader header;
  std::vector<float> floats(StreamFloats(model));
  std::vector<float> inputs(spec.inputs());
  ForecastsOf along;
  along.forecasts.resize(readings * spec.outputs());
  Model::Workspace workspace;
  const StreamRef stream(model, header, floats);
  StartStream(model, stream);
  float* const state = floats.data();
  for (std::size_t t = 0; t < readings; ++t) {
    const auto time = static_cast<std::int64_t>(t) * spec.interval_ns;
    const std::span<float> outputs = std::span(along.forecasts).subspan(t * spec.outputs(), spec.outputs());
    Prepare(model, stream, time, values.subspan(t * features, features), inputs);
    model.Step(inputs, std::span(&state, 1), outputs, workspace);
    Unscale(model, stream.kept, time, outputs);
    const StreamLayout& layout = model.layout();
    along.scales.push_back(OutputScale(spec, stream.kept + layout.last_values, stream.kept + layout.moments));
  }
  return along;
}

std::vector<float> ForecastAfter(const Model& model, std::span<const float> values) {
  const std::vector<float> all = ForecastsAlong(model, values).forecasts;
  return {all.end() - static_cast<std::ptrdiff_t>(model.spec().outputs()), all.end()};
}

}  // namespace tidegate
