#include <omp.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "clients/cli/channels.h"
#include "clients/cli/commands.h"
#include "clients/cli/grid.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/model_folder.h"
#include "clients/cli/table.h"
#include "clients/cli/train_flags.h"
#include "clients/cli/train_progress.h"
#include "clients/cli/train_record.h"
#include "engine/train/dataset.h"
#include "engine/train/trainer.h"

namespace tidegate {
namespace {

// Options of a training by the names that errors begin with, and the flags that set them.
constexpr std::pair<absl::string_view, absl::string_view> kFlags[] = {
    {"validation_fraction", "--validation"},
    {"sequence_length", "--sequence"},
    {"learning_rate", "--learning-rate"},
    {"weight_decay", "--weight-decay"},
    {"linear_contexts", "--linear-contexts"},
    {"find_cycle", "--cycle auto"},
    {"averaging", "--averaging"},
    {"amplitudes", "--amplitudes"},
    {"patience", "--patience"},
    {"epochs", "--epochs"},
    {"batch", "--batch"},
    {"schedule", "--schedule"},
    {"window", "--window"},
    {"truncation", "--truncation"},
    {"clip", "--clip"},
    {"loss", "--loss"}};

// Says what was read, and lays it on the grid.
std::vector<Series> Prepare(const TrainCommand& command, const Readings& readings) {
  Grid grid = ToGrid(readings, command.label_margin, command.options.bridge_limit);
  std::cout << "Read " << Grouped(readings.size()) << " readings of " << readings.streams.size()
            << (readings.streams.size() == 1 ? " stream" : " streams") << " from " << readings.file << ": "
            << absl::StrJoin(readings.features, ", ") << "; forecast: " << readings.features[readings.target]
            << ".\n";
  if (command.readings.interval == absl::ZeroDuration()) {
    std::cout << "Interval: " << absl::FormatDuration(absl::Nanoseconds(readings.interval_ns))
              << " between two readings.\n";
  }
  // After a gap that no stream steps over the next piece must be long enough to train and to validate by
  // itself.
  const std::size_t shortest = 2 * (command.options.warm_up + command.options.horizon + 1);
  std::size_t dropped = 0;
  std::set<std::string> without;  // streams of which nothing is left
  if (grid.breaks > 0) {
    const TrainOptions& options = command.options;
    for (const Series& series : grid.series) without.insert(series.stream);
    dropped = std::erase_if(grid.series, [&](const Series& series) {
      const std::size_t split = TrainingRows(series.size(), options.validation_fraction, options.horizon);
      return series.size() < shortest ||
             !CanLearn(series, readings.target, options.warm_up, split, options.horizon);
    });
    for (const Series& series : grid.series) without.erase(series.stream);
  }
  if (grid.missing + grid.breaks + grid.crowded > 0) {
    std::cout << "Time grid: " << Grouped(grid.missing) << " missing readings, " << Grouped(grid.breaks)
              << " longer gaps (" << dropped << " pieces of under " << shortest
              << " readings, or with none to learn from, left out), " << Grouped(grid.crowded)
              << " readings left out as they follow within half an interval.\n";
  }
  if (!without.empty()) {
    constexpr std::size_t kNamed = 10;
    const auto end =
        std::next(without.begin(), static_cast<std::ptrdiff_t>(std::min(kNamed, without.size())));
    std::cout << "Nothing to learn from in " << absl::StrJoin(without.begin(), end, ", ");
    if (without.size() > kNamed) std::cout << " and " << Grouped(without.size() - kNamed) << " more";
    std::cout << ".\n";
  }
  std::size_t masked = 0;
  for (const Series& series : grid.series)
    masked += std::count(series.scored.begin(), series.scored.end(), false);
  if (masked > 0) {
    std::cout << "Not learnt from: " << Grouped(masked) << " readings within " << command.label_margin
              << " of a labelled one.\n";
  }
  return std::move(grid.series);
}

void PrintResult(const ModelSpec& spec, const std::filesystem::path& folder, const std::string& models) {
  const ValidationScore& score = spec.validation;
  if (spec.cycle > 0) std::cout << "Cycle: " << spec.cycle << " readings.\n";
  if (spec.linear_context > 0) {
    std::cout << "Linear path: the last " << spec.linear_context << " readings, "
              << (spec.linear_per_channel ? "a map for each channel" : "one map") << ".\n";
  }
  std::cout
      << "Model: " << folder.string() << '\n'
      << absl::StrFormat(
             "Validation over %s forecasts of %d steps: mean absolute error %.4g, of the last value %.4g",
             Grouped(score.origins), spec.horizon, score.mae, score.persistence_mae);
  if (score.persistence_mae > 0) {
    std::cout << absl::StrFormat(" (%.1f %% %s)", 100 * std::abs(1 - score.mae / score.persistence_mae),
                                 score.mae < score.persistence_mae ? "better" : "worse");
  } else {
    std::cout << ", as the target does not vary in the validation readings: validate on a larger share";
  }
  if (spec.quantiles.size() > 1) {
    std::cout << absl::StrFormat("; the %.0f %% interval holds %.1f %% of the readings",
                                 100 * (spec.quantiles.back() - spec.quantiles.front()),
                                 100 * score.coverage);
  }
  std::cout << ".\nServe it: tidegate-server --models " << models << '\n';
}

// Names that --cell takes.
std::vector<std::string> CellNames() {
  std::vector<std::string> names;
  for (const LayerKind kind : kLayerKinds) {
    if (IsRecurrent(kind)) names.emplace_back(KindName(kind));
  }
  return names;
}

std::map<std::string, LossKind> LossNames() {
  std::map<std::string, LossKind> names;
  for (const LossKind kind : kLossKinds) names[LossName(kind)] = kind;
  return names;
}

std::map<std::string, CalendarFeature> CalendarNames() {
  std::map<std::string, CalendarFeature> names;
  for (const CalendarFeature feature : kCalendarFeatures) names[CalendarName(feature)] = feature;
  return names;
}

std::map<std::string, ScheduleKind> ScheduleNames() {
  std::map<std::string, ScheduleKind> names;
  for (const ScheduleKind kind : kScheduleKinds) names[ScheduleName(kind)] = kind;
  return names;
}

// Trains with everything that is shown and written meanwhile.
absl::StatusOr<TrainedModel> TrainAndRecord(const TrainCommand& command, const std::vector<Series>& series,
                                            TrainRecord& record, const volatile std::sig_atomic_t& stop) {
  std::optional<Checkpoint> checkpoint;
  if (command.resume) {
    auto read = record.Resume();
    if (!read.ok()) return read.status();
    checkpoint = *std::move(read);
    std::cout << "Going on after epoch " << checkpoint->epoch << ".\n";
  }
  TrainProgressLine line;
  absl::Status written;
  TrainHooks hooks = {.resume = checkpoint ? &*checkpoint : nullptr};
  hooks.progress = [&](const TrainProgress& progress) {
    written = record.Add(progress, line.Epoch(progress));
    return stop == 0;
  };
  hooks.part = [&](const std::string& part) {
    line.Part(part);
    return stop == 0;
  };
  hooks.within = [&](const TrainMoment& moment) {
    line.Within(moment);
    return stop == 0;
  };
  hooks.checkpoint = [&](const Checkpoint& now) { return written.ok() ? record.Save(now) : written; };
  auto trained = Train(series, command.options, hooks);
  line.End();
  const absl::string_view message = trained.status().message();
  for (const auto& [option, flag] : kFlags) {
    if (absl::StartsWith(message, option))
      return absl::InvalidArgumentError(absl::StrCat(flag, message.substr(option.size())));
  }
  if (absl::IsInvalidArgument(trained.status()) && !absl::StartsWith(message, "model spec"))
    return absl::InvalidArgumentError(
        absl::StrCat(command.file, ": ", message));  // the readings are at fault
  return trained;
}

absl::Status RunTrain(TrainCommand command) {
  if (absl::Status status = CheckFlags(command); !status.ok()) return status;
  auto readings = ReadReadings(command.file, command.readings);
  if (!readings.ok()) return readings.status();
  PrintNotes(*readings, std::cout);
  TrainOptions& options = command.options;
  if (command.each_column) {
    command.segment = std::max(command.segment, std::size_t{1});  // such models tell a column from another
    options.channels = readings->features;
    readings = ToChannels(*readings, options.channels);
    if (!readings.ok()) return readings.status();
  }
  options.interval_ns = readings->interval_ns;
  options.features = readings->features;
  options.target = readings->target;
  options.layers = LayersOf(command);
  options.level_inputs = command.inputs != "difference";
  options.difference_inputs = command.inputs != "level";
  options.per_stream = command.normalisation == "per_stream";
  options.interleaved = command.filters > 0 && command.stride > 1 && options.window == 0;
  if (command.segment > 0) SetSegments(command, options);
  if (command.recursive) options.head = HeadKind::kRecursive;
  if (absl::Status status = SetCycle(command.cycle, options); !status.ok()) return status;
  const std::string rows = command.readings.rows.text.empty() ? "" : ", rows " + command.readings.rows.text;
  options.trained_on =
      absl::StrCat(std::filesystem::path(command.file).filename().string(), rows, ": ",
                   Grouped(readings->size()), " readings of ", readings->streams.size(), " streams");
  const std::vector<Series> series = Prepare(command, *readings);
  if (series.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(command.file, ": no stream has readings enough between longer gaps (see Time grid)"));
  }

  const std::size_t longest = std::ranges::max_element(series, {}, &Series::size)->size();
  if (2 * options.cycle > longest) {
    return absl::InvalidArgumentError(
        absl::StrCat("--cycle ", options.cycle,
                     ": no stream has two of it to learn from, the longest piece without a gap has ", longest,
                     " readings"));
  }

  if (command.threads > 0) omp_set_num_threads(command.threads);
  std::cout << "Training on " << omp_get_max_threads()
            << " threads; Ctrl-C stops and keeps the best so far.\n";
  const volatile std::sig_atomic_t& stop = ListenForInterrupt();
  std::error_code error;  // to be known before the work is done
  std::filesystem::create_directories(command.output, error);
  if (error) return absl::UnavailableError(absl::StrCat("--output ", command.output, ": ", error.message()));
  const std::filesystem::path models = std::filesystem::path(command.output) / options.name;
  TrainRecord record(models / ".checkpoint", command.log);
  const auto trained = TrainAndRecord(command, series, record, stop);
  if (!trained.ok()) return trained.status();

  const std::filesystem::path folder = NextVersion(models);
  absl::Status saved = SaveModel(*trained, folder, [&](const std::filesystem::path& draft) {
    return record.WriteBeside(draft, trained->spec.name);
  });
  if (!saved.ok()) return saved;
  PrintResult(trained->spec, folder, command.output);
  if (stop != 0) {
    return absl::CancelledError(
        absl::StrCat("stopped; ", folder.string(), " is the best epoch so far",
                     record.saved() ? ", with --resume the training goes on"
                                    : "; no epoch is whole yet, so there is nothing to --resume"));
  }
  record.RemoveCheckpoint();
  return absl::OkStatus();
}

}  // namespace

void AddTrainCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<TrainCommand>();
  TrainOptions& options = command->options;
  CLI::App* train = app.add_subcommand("train", "Train a model on the readings of a CSV file");
  train->add_option("CSV", command->file, "File with a header line")->required();
  AddReadingFlags(*train, command->readings);
  train->option_defaults()->always_capture_default();
  train->add_option("--label-margin", command->label_margin,
                    "Readings around a labelled one not to learn from");

  train->option_defaults()->group("The model");
  train->add_option("--name", options.name, "Its name");
  train->add_option("--output", command->output, "Folder of models: writes DIR/NAME/VERSION");
  train->add_option("--cell", command->cell, "Recurrent cell")->check(CLI::IsMember(CellNames()));
  train->add_flag("--peepholes", command->peepholes, "Of an lstm: its gates see its cells");
  train->add_option("--projection", command->projection, "Of an lstm: width of its output; 0: as its units");
  train->add_flag(
      "--bidirectional", command->bidirectional,
      "A second layer runs backwards; with --window, below a layer of --units that decodes segments");
  train->add_option("--window", options.window,
                    "Readings: every forecast is made anew from so many; 0: the state is carried on");
  train->add_flag("--instance-normalisation", options.instance_normalisation,
                  "Each window in its own mean and deviation");
  train->add_flag("--recursive", command->recursive,
                  "One step ahead, and on with its own forecast; for one column");
  train->add_option("--units", command->units, "Width of a recurrent layer");
  train->add_option("--layers", command->layers, "Recurrent layers");
  train->add_option("--conv-filters", command->filters,
                    "Filters of a causal convolution below them (CNN-GRU); 0: none");
  train->add_option("--conv-kernel", command->kernel, "Readings under a filter");
  train->add_option("--conv-stride", command->stride, "Readings from one of its steps to the next");
  train->add_option("--conv-dilation", command->dilation, "Readings from one under a filter to the next");
  train->add_flag("--residual", command->residual,
                  "The input of every recurrent layer but the first is added to its output");
  train
      ->add_option("--dropout", command->dropout,
                   "Share of outputs left out in training, between layers and below segments' decoder")
      ->check(CLI::Range(0.0, 0.95));
  train->add_option("--horizon", options.horizon, "Steps of a forecast")
      ->check(CLI::Range(std::size_t{1}, kMostSteps));
  train
      ->add_option("--quantiles", options.quantiles,
                   "An odd number, rising, within 0 and 1, of several 0.5 in the middle")
      ->delimiter(',');
  train
      ->add_option("--scored-steps", options.scored_steps,
                   "Steps of the horizon that a stream is scored at and its intervals are calibrated at: the "
                   "first, the last and others between")
      ->check(CLI::Range(2, 64));
  train->add_option("--reorder-window", options.reorder_window,
                    "Ticks by which a reading may come after later ones when the model is served, 0 to 64");
  train->add_option("--inputs", command->inputs, "What the network sees of the values")
      ->check(CLI::IsMember({"level", "difference", "both"}));

  train
      ->add_option(
          "--calendar", options.calendar,
          "What the network sees of a reading's time (UTC): hour_of_day, day_of_week, month_of_year,\n"
          "separated by commas")
      ->delimiter(',')
      ->transform(CLI::CheckedTransformer(CalendarNames(), CLI::ignore_case));
  train
      ->add_option("--normalisation", command->normalisation,
                   "Scale of the values: one for all streams, or each stream's own, for sensors of different "
                   "ranges")
      ->check(CLI::IsMember({"fixed", "per_stream"}));

  train->add_flag(
      "--each-column", command->each_column,
      "Each column of values is a stream of its own, a channel of one model with a scale of its own;\n"
      "with --segment 1 if it is not given");
  train
      ->add_option(
          "--segment", command->segment,
          "Readings that enter the recurrent layer together, level-free, and steps that leave it\n"
          "together (SegRNN); the horizon is rounded up to whole segments. 1: reading by reading, each step\n"
          "decoded by itself; 0: and all steps of the horizon at once")
      ->check(CLI::Range(std::size_t{0}, kMostSteps));
  train
      ->add_option("--linear-contexts", options.linear_contexts,
                   "Lengths of a linear path to choose from, in readings, each at most a third of those\n"
                   "learnt from, and less where the horizon is long beside them; --cycle auto goes "
                   "by the first; with --inputs level or --segment")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, kMostSteps));
  train->add_flag("--refit", options.refit,
                  "When all is chosen and scored, go on with the validation readings too");
  train->add_flag(
      "--adapt", options.adapt,
      "Each stream corrects its forecasts by its own errors at each part of the cycle, if there is\n"
      "one: at most 48 numbers of its state");
  train->add_option("--cycle", command->cycle, "Readings in a learnt cycle, auto or none");
  train->add_option("--warm-up", options.warm_up, "Readings before a stream's forecasts are trusted");

  train->option_defaults()->group("The training");
  train->add_option("--loss", options.loss, "What it makes small")
      ->transform(CLI::CheckedTransformer(LossNames(), CLI::ignore_case));
  train->add_flag(
      "--median-first", options.median_first,
      "The median alone shapes the layers; the other quantiles learn from what these tell anyway");
  train->add_flag("--even-steps", options.even_steps,
                  "Errors of all steps count alike, in deviations of the target");
  train->add_option("--amplitudes", options.amplitudes,
                    "a: training sequences of one column are multiplied by e^-a to e^a at random");
  train->add_option("--validation", options.validation_fraction,
                    "Share of each stream's readings, its last; of each piece's between longer gaps");
  train->add_option("--patience", options.patience,
                    "Epochs without a better validation loss before it stops");
  train->add_option("--sequence", options.sequence_length, "Readings of a training sequence");
  train->add_option(
      "--truncation", options.truncation,
      "Readings that gradients flow back through; the state goes on. With --segment above 1: a sequence");
  train->add_option("--batch", options.batch, "Sequences per update");
  train->add_option("--clip", options.clip, "Largest norm of an update's gradient");
  train->add_option("--epoch-sequences", options.epoch_sequences,
                    "Most sequences of a pass, so that long files take no longer; 0: no limit");
  train->add_option("--weight-decay", options.weight_decay, "AdamW's");
  train->add_option("--averaging", options.averaging,
                    "Share of itself that a running mean of the weights keeps at an update; 0: no mean");
  train->add_option("--epochs", options.epochs, "At most so many passes over the readings");
  train->add_option("--learning-rate", options.learning_rate, "Of the first update");
  train->add_option("--schedule", options.schedule.kind, "How the learning rate falls")
      ->transform(CLI::CheckedTransformer(ScheduleNames(), CLI::ignore_case));
  train->add_option("--schedule-hold", options.schedule.hold,
                    "Epochs before an exponential decay begins, or from step to step");
  train->add_option("--schedule-decay", options.schedule.decay,
                    "Factor of each further epoch (exponential) or of each step");
  train->add_option("--seed", options.seed, "Same seed, machine and threads: same model");
  train->add_option("--threads", command->threads, "0: one per core")->check(CLI::Range(0, 256));
  train->option_defaults()->group("What it writes")->always_capture_default(false);
  train->add_flag(
      "--resume", command->resume,
      "Go on from the checkpoint that a training that was stopped left in DIR/NAME, with the same\n"
      "flags: the model is what it would have been without the stop");
  train
      ->add_option("--log", command->log,
                   "File that gets a line of JSON after each epoch (training.jsonl and training.svg lie\n"
                   "beside the model in any case)")
      ->check(WritableFile());
  train->footer(
      "Ends with 0; with 130 if Ctrl-C stopped it and the best epoch so far is written (before the first "
      "epoch:\n"
      "nothing); with 2 for a flag that is unknown or of the wrong form; else with 1.");
  const auto needs = [train](const char* flag, const char* needed) {
    train->get_option(flag)->needs(train->get_option(needed));
  };
  needs("--label-margin", "--label-column");
  for (const char* flag : {"--conv-kernel", "--conv-stride", "--conv-dilation"})
    needs(flag, "--conv-filters");
  train->fallthrough();  // to --config
  train->callback([&run, command] { run = [command] { return RunTrain(*command); }; });
}

}  // namespace tidegate
