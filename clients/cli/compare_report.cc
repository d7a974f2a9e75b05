#include "clients/cli/compare_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/model_test_run.h"
#include "clients/cli/table.h"
#include "engine/model/json.h"
#include "engine/tune/holm.h"

namespace tidegate {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kContextNames[CompareReport::kContexts] = {"last_64_readings", "last_256_readings",
                                                                 "state_carried_on"};

// "0.1234 -1.2 % *".
std::string Cell(const std::optional<CompareReport::Score>& score, bool is_gru) {
  if (!score) return "-";
  const std::string mae = absl::StrFormat("%.4f", score->errors().mae);
  if (is_gru) return mae + "          ";
  if (!score->against_gru) return mae + "        -  ";
  return absl::StrFormat("%s %+6.1f %% %s", mae, 100 * *score->against_gru, score->significant() ? "*" : " ");
}

Json OrNull(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

// A score that tells the baselines' errors, of the one that learns (kLinear) if any does; null: none does.
const CompareReport::Score* BaselinesOf(const CompareReport& report) {
  const CompareReport::Score* best = nullptr;
  for (const CompareReport::Row& row : report.rows) {
    const auto& score = row.scores[CompareReport::kCarried];
    if (!score) continue;
    if (score->errors(Forecaster::kLinear).targets > 0) return &*score;
    if (best == nullptr && score->errors(Forecaster::kLastValue).targets > 0) best = &*score;
  }
  return best;
}

}  // namespace

void CompareWithGru(CompareReport& report) {
  const auto gru = std::ranges::find(report.rows, Family::kGru, &CompareReport::Row::family);
  for (std::size_t c = 0; c < CompareReport::kContexts; ++c) {
    if (gru == report.rows.end() || !gru->scores[c]) continue;
    gru->scores[c]->against_gru = 0;
    gru->scores[c]->p = 1;
    std::vector<CompareReport::Score*> others;
    std::vector<double> p;
    for (CompareReport::Row& row : report.rows) {
      if (!row.scores[c] || row.family == Family::kGru) continue;
      CompareReport::Score& score = *row.scores[c];
      score.against_gru = score.errors().mae / gru->scores[c]->errors().mae - 1;
      p.push_back(CompareModels(score.test, gru->scores[c]->test, report.horizon).p);
      others.push_back(&score);
    }
    const std::vector<double> adjusted = HolmAdjusted(p);
    for (std::size_t i = 0; i < others.size(); ++i) others[i]->p = adjusted[i];
  }
}

std::string BaselinesText(const CompareReport& report) {
  const CompareReport::Score* const score = BaselinesOf(report);
  if (score == nullptr) return "";
  std::string text =
      absl::StrFormat("The last value errs by %.4f", score->errors(Forecaster::kLastValue).mae);
  if (const Errors& linear = score->errors(Forecaster::kLinear); linear.targets > 0)
    absl::StrAppendFormat(&text, ", a linear autoregression by %.4f", linear.mae);
  return text + ".";
}

void PrintCompare(const CompareReport& report, std::ostream& out) {
  out << absl::StrFormat(
      "\nEach model was trained for at most %s on one thread. Mean absolute error over %d steps of the test "
      "part, "
      "in\n"
      "deviations, with the difference to the GRU; * marks one that is not chance (p < 0.05, "
      "Diebold-Mariano,\n"
      "Holm's correction for all families at once):\n\n",
      Seconds(report.training_seconds), report.horizon);
  Table table({"family", "parameters", "training step", "us alone", "us of 64", "last 64 readings",
               "last 256 readings", "state carried on"},
              1);
  for (const CompareReport::Row& row : report.rows) {
    const bool is_gru = row.family == Family::kGru;
    table.Add({FamilyName(row.family), Grouped(row.parameters), Seconds(row.update_seconds),
               absl::StrFormat("%.1f", 1e6 * row.step_seconds),
               absl::StrFormat("%.2f", 1e6 * row.step_seconds_together), Cell(row.scores[0], is_gru),
               Cell(row.scores[1], is_gru), Cell(row.scores[2], is_gru)});
  }
  table.Print(out);
  if (const std::string baselines = BaselinesText(report); !baselines.empty())
    out << '\n' << baselines << '\n';
}

std::string CompareJson(const CompareReport& report) {
  Json json = {{"file", report.file},
               {"readings", report.readings},
               {"streams", report.streams},
               {"horizon", report.horizon},
               {"training_seconds", report.training_seconds}};
  for (const CompareReport::Row& row : report.rows) {
    Json one = {{"family", FamilyName(row.family)}, {"parameters", row.parameters},
                {"stream_bytes", row.stream_bytes}, {"training_step_seconds", row.update_seconds},
                {"step_seconds", row.step_seconds}, {"step_seconds_of_64", row.step_seconds_together}};
    for (std::size_t c = 0; c < CompareReport::kContexts; ++c) {
      if (!row.scores[c]) continue;
      const CompareReport::Score& score = *row.scores[c];
      one[kContextNames[c]] = {
          {"validation_loss", score.validation_loss}, {"mae", score.errors().mae},
          {"pinball", score.errors().pinball},        {"coverage", score.errors().coverage},
          {"against_gru", OrNull(score.against_gru)}, {"p", OrNull(score.p)}};
    }
    json["families"].push_back(std::move(one));
  }
  if (const CompareReport::Score* const score = BaselinesOf(report); score != nullptr) {
    json["last_value_mae"] = score->errors(Forecaster::kLastValue).mae;
    if (score->errors(Forecaster::kLinear).targets > 0)
      json["linear_mae"] = score->errors(Forecaster::kLinear).mae;
  }
  return JsonText(json, 2) + "\n";
}

}  // namespace tidegate
