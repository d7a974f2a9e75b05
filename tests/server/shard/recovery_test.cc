#include "server/shard/recovery.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <random>
#include <set>

#include "server/shard/shard_journal.h"
#include "tests/server/shard/shard_fixture.h"

namespace tidegate {
namespace {

// A shard whose streams are kept in a folder, and that can crash.
class KeptShard {
 public:
  // memory: bytes for streams, 0: all stay in memory.
  KeptShard(std::span<const std::shared_ptr<const Model>> models, std::string folder, Durability durability,
            std::size_t memory)
      : models_(models), folder_(std::move(folder)), durability_(durability), memory_(memory) {
    std::filesystem::remove_all(folder_);
    Open();
  }
  ~KeptShard() {
    shard_.reset();
    journal_.reset();
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  // What was answered is on the disk; nothing else of it is left.
  void Crash() {
    shard_.reset();
    journal_.reset();
    store_.reset();
    Open();
  }
  void Close() {
    Checkpoint();
    shard_.reset();
    journal_.reset();
    ASSERT_TRUE(store_->Close(budget_->taken()).ok());
    store_.reset();
    Open();
    EXPECT_TRUE(store_->opening().clean);
  }

  void Admit(Request& request) {
    shard_->Admit(request.work);
    RunAll();
  }
  void RunAll() {
    shard_->WhenDurable([] {});  // as after a call that changes a stream
    do {
      while (!shard_->idle()) shard_->Run(done_);
      // What the store's thread says is done here, as a loop would in its thread.
      const std::uint64_t through = through_.load();
      if (through > journal_->durable()) shard_->Durable(through);
    } while (!journal_->all_durable() || !shard_->idle());
  }

  // A checkpoint as a server makes it; cut: one that the process does not live to finish; meanwhile: what
  // else happens once the deleted ones are taken.
  void Checkpoint(
      bool cut = false, const std::function<void()>& meanwhile = [] {}) {
    StateBatch batch;
    const std::uint64_t position = store_->BeginCheckpoint();
    if (memory_ > 0) {
      ASSERT_TRUE(shard_->PutDeleted().ok());
    } else {
      const auto deleted = journal_->TakeDeleted();
      const std::uint64_t through = journal_->position();
      meanwhile();
      for (const std::string& id : deleted) batch.Delete(id, through);
    }
    StreamKey next;
    int slices = 0;
    while (shard_->PutChanged(next, 2, batch) && !(cut && ++slices == 3)) {
    }
    ASSERT_TRUE(store_->WriteStates(batch).ok());
    if (cut) return;
    ASSERT_TRUE(store_->FinishCheckpoint(position).ok());
  }

  // From the next opening on, these are the models.
  void Serve(std::span<const std::shared_ptr<const Model>> models) { models_ = models; }
  // The streams of other models, and to have the store forget them, as a server makes it.
  std::set<std::string> left_out() const {
    std::set<std::string> ids;
    for (const auto& [id, position] : left_out_) ids.insert(id);
    return ids;
  }
  void Forget() {
    StateBatch batch;
    for (const auto& [id, position] : left_out_) batch.Delete(id, position);
    ASSERT_TRUE(store_->WriteStates(batch).ok());
  }

  Shard& shard() { return *shard_; }
  std::uint64_t loads() const { return metrics_.cold.loads.value(); }
  std::uint64_t replayed() const { return replayed_; }

 private:
  void Open() {
    through_ = 0;
    auto opened = Store::Open({.folder = folder_, .durability = durability_});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    shard_.emplace(models_, budget_.emplace(500), metrics_);
    std::vector<std::uint32_t> numbers;
    for (std::size_t m = 0; m < models_.size(); ++m) {
      const auto number = store_->AddModel(models_[m]->spec().name, 1, "sum", "build");
      ASSERT_TRUE(number.ok()) << number.status();
      numbers.resize(std::max<std::size_t>(numbers.size(), *number + 1), Recovery::kNoModel);
      numbers[*number] = static_cast<std::uint32_t>(m);
    }
    journal_ = std::make_unique<ShardJournal>(
        *store_, [this](std::uint64_t position) { through_ = position; },
        [](const absl::Status& status) { ADD_FAILURE() << status; });
    for (std::size_t m = 0; m < models_.size(); ++m) {
      journal_->AddModel(*store_->AddModel(models_[m]->spec().name, 1, "sum", "build"));
    }
    if (memory_ > 0) {
      std::size_t cold = 0;
      const absl::Status counted = store_->ForEachState([&](absl::string_view, const StoredState& state) {
        cold += state.deleted ? 0 : 1;
        return absl::OkStatus();
      });
      ASSERT_TRUE(counted.ok()) << counted;
      budget_->TakeAnyway(cold);
      ASSERT_LE(budget_->taken(), budget_->all());
      shard_->KeepWithin(memory_, cold, *journal_);
    }
    Recovery recovery(*shard_, *journal_, numbers, 0, 1);
    if (memory_ > 0) {
      const absl::Status read = store_->ForEachState([&](absl::string_view id, const StoredState& state) {
        const bool served = state.model < numbers.size() && numbers[state.model] != Recovery::kNoModel;
        if (!served && !state.deleted) recovery.LeaveOut(id, state.position);
        return absl::OkStatus();
      });
      ASSERT_TRUE(read.ok()) << read;
    }
    const absl::Status recovered = recovery.Run(stop_);
    ASSERT_TRUE(recovered.ok()) << recovered;
    replayed_ = recovery.readings();
    left_out_ = recovery.left_out();
    shard_->WriteTo(journal_.get());
  }

  std::span<const std::shared_ptr<const Model>> models_;
  const std::string folder_;
  const Durability durability_;
  const std::size_t memory_;
  const std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> through_{0};
  std::unique_ptr<Store> store_;
  std::optional<StreamBudget> budget_;
  ShardMetrics metrics_{3};
  std::unique_ptr<ShardJournal> journal_;
  std::optional<Shard> shard_;
  std::vector<Work*> done_;
  std::uint64_t replayed_ = 0;
  absl::flat_hash_map<std::string, std::uint64_t> left_out_;
};

// The shard of the fixture never crashes; what is done to it is done to a kept one that does.
class RecoveryTest : public ShardTest,
                     public testing::WithParamInterface<std::pair<Durability, std::size_t>> {
 protected:
  std::string Name(int stream) { return std::to_string(stream); }

  // A message of readings that are mostly next, of some streams of one model.
  std::vector<Sent> Message(std::uint32_t model) {
    std::vector<Sent> sent;
    const int readings = Pick(1, 12);
    for (int i = 0; i < readings; ++i) {
      const int stream = 3 * Pick(0, 3) + static_cast<int>(model);  // of this model
      At& at = at_[stream];
      const int kind = Pick(0, 19);
      at.second += kind == 0 ? 0 : kind == 1 ? -1 : kind == 2 ? Pick(2, 30) : 1;
      const bool future = kind == 3;
      const bool numbered = stream % 2 == 0;
      if (numbered) at.number += kind == 4 ? 2 : 1;
      sent.push_back({Name(stream),
                      future ? kLatest + 1 : at.second * kSecond,
                      {Value(), kind == 5 ? std::nanf("") : Value()},
                      numbered ? at.number : 0});
    }
    return sent;
  }

  void Both(std::vector<Sent> sent, std::uint32_t model) {
    Request kept(model, models_[model]->spec(), sent);
    kept_->Admit(kept);
    const Request& other = Push(std::move(sent), model);
    for (std::size_t i = 0; i < other.sent().size(); ++i) {
      ASSERT_EQ(kept.answer(i), other.answer(i)) << "stream " << other.sent()[i].stream;
    }
  }

  void DoOther(int kind) {
    const std::string id = Name(Pick(0, 11));
    const auto here = shard_.table().Find(id), there = kept_->shard().Find(id);
    ASSERT_EQ(here.has_value(), there.has_value()) << id;
    if (!here) return;
    if (kind == 0) {
      shard_.Delete(*here);
      kept_->shard().Delete(*there);
    } else if (kind == 1) {
      shard_.Reset(*here);
      kept_->shard().Reset(*there);
    } else if (shard_.header(*here).steps > 0) {
      const std::string copy = id + "+" + std::to_string(copies_++ % 3);
      if (const auto old = shard_.table().Find(copy)) {
        shard_.Delete(*old);
        kept_->shard().Delete(*kept_->shard().Find(copy));
      }
      for (Shard* shard : {&shard_, &kept_->shard()}) {
        ASSERT_FALSE(shard->Find(copy));
        const StreamKey key = *shard->Find(id);
        ASSERT_TRUE(shard->Create(copy, key.model, shard->header(key), shard->floats(key)));
      }
    }
    RunAll();
    kept_->RunAll();
    if (kind < 2) at_.erase(std::stoi(id));
  }

  // Every stream, bit by bit.
  void Compare() {
    for (std::uint32_t m = 0; m < models_.size(); ++m) {
      if (GetParam().second == 0) {
        EXPECT_EQ(shard_.table().streams(m), kept_->shard().table().streams(m));
      }
      StreamKey key{.model = static_cast<std::uint16_t>(m)};
      for (; key.slot < shard_.table().slots(m); ++key.slot) {
        const absl::string_view id = shard_.table().id(key);
        if (id.empty()) continue;
        const auto there = kept_->shard().Find(id);
        ASSERT_TRUE(there) << id;
        const StreamHeader &a = shard_.header(key), &b = kept_->shard().header(*there);
        ASSERT_EQ(std::tie(a.timestamp_ns, a.digest, a.sequence, a.steps, a.refused_digest, a.refused,
                           a.refused_reason, a.quality),
                  std::tie(b.timestamp_ns, b.digest, b.sequence, b.steps, b.refused_digest, b.refused,
                           b.refused_reason, b.quality))
            << id;
        ASSERT_EQ(Bits(a.anomaly_score), Bits(b.anomaly_score)) << id;
        if (a.steps == 0) continue;
        ASSERT_EQ(Bits(shard_.floats(key)), Bits(kept_->shard().floats(*there))) << id;
      }
    }
  }

  int Pick(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }
  float Value() { return std::uniform_real_distribution<float>(10, 60)(random_); }

  struct At {
    std::int64_t second = 100;
    std::uint64_t number = 0;
  };
  std::map<int, At> at_;
  std::mt19937 random_{20261126};
  int copies_ = 0;
  std::optional<KeptShard> kept_;
};

#ifdef TIDEGATE_SLOW
constexpr int kRoundsOfRecovery = 200;
#else
constexpr int kRoundsOfRecovery = 600;
#endif

TEST_P(RecoveryTest, GoesOnAsIfItHadNeverCrashed) {
  const auto [durability, memory] = GetParam();
  const std::string folder = testing::TempDir() + "recovery_" + std::to_string(static_cast<int>(durability)) +
                             "_" + std::to_string(memory);
  kept_.emplace(models_, folder, durability, memory);
  std::uint64_t replayed = 0;
  for (int round = 0; round < kRoundsOfRecovery && !HasFatalFailure(); ++round) {
    const int kind = Pick(0, 29);
    const auto model = static_cast<std::uint32_t>(Pick(0, 2));
    if (kind < 3) {
      DoOther(kind);
    } else if (kind == 3) {
      kept_->Checkpoint();
    } else if (kind == 4) {
      kept_->Checkpoint(true);
      kept_->Crash();
      replayed += kept_->replayed();
      Compare();
    } else if (kind == 5) {
      kept_->Crash();
      replayed += kept_->replayed();
      Compare();
    } else if (kind == 6) {
      kept_->Close();
      EXPECT_EQ(kept_->replayed(), 0);
      Compare();
    } else {
      const std::vector<Sent> sent = Message(model);
      Both(sent, model);
      if (kind == 7) {  // the answer was lost with the server
        kept_->Crash();
        Both(sent, model);
      }
    }
  }
  EXPECT_GT(replayed, 100);
  if (memory > 0) {
    EXPECT_GT(kept_->loads(), 100);
  }
}

// A model is replaced, and the process ends before the next checkpoint.
TEST_P(RecoveryTest, AStreamThatWasDeletedGoesOnWithAnotherModelWhenItsOwnIsNoLongerServed) {
  const auto [durability, memory] = GetParam();
  kept_.emplace(models_, testing::TempDir() + "recovery_other_model", durability, memory);
  const auto push = [&](std::uint32_t model, const ModelSpec& spec, const std::string& stream, int second) {
    Request request(model, spec, {{stream, second * kSecond, {20, 30}}});
    kept_->Admit(request);
    return request.answer(0);
  };
  const ModelSpec &old_spec = models_[0]->spec(), &new_spec = models_[1]->spec();
  push(0, old_spec, "moved", 1);
  push(0, old_spec, "stays", 1);
  kept_->Checkpoint();
  push(0, old_spec, "moved", 2);
  push(0, old_spec, "stays", 2);
  push(0, old_spec, "in the journal alone", 2);
  push(0, old_spec, "deleted", 2);
  for (const char* id : {"moved", "deleted"}) kept_->shard().Delete(*kept_->shard().Find(id));
  kept_->RunAll();
  EXPECT_EQ(push(1, new_spec, "moved", 3).outcome, Outcome::kApplied);
  const Answer answer = push(1, new_spec, "moved", 4);

  kept_->Serve(std::span(models_).subspan(1));
  kept_->Crash();
  EXPECT_THAT(kept_->left_out(), testing::ElementsAre("in the journal alone", "stays"));
  const auto goes_on = [&] {
    const Answer again = push(0, new_spec, "moved", 4);
    EXPECT_EQ(again.outcome, Outcome::kDuplicate);
    EXPECT_EQ(again.forecast, answer.forecast);
    EXPECT_EQ(again.steps, 2u);
  };
  goes_on();
  kept_->Crash();
  goes_on();
  kept_->Forget();
  kept_->Checkpoint();
  kept_->Crash();
  EXPECT_THAT(kept_->left_out(), testing::IsEmpty());
  goes_on();
  EXPECT_EQ(push(0, new_spec, "stays", 5).steps, 1u) << "begins anew";
}

// Their readings are numbered from 1 on again: on what was there before they would be of old numbers.
TEST_P(RecoveryTest, StreamsBeginAnewWhileACheckpointTakesWhatWasDeleted) {
  constexpr int kStreams = 400;  // more than are deleted together
  const auto [durability, memory] = GetParam();
  kept_.emplace(models_, testing::TempDir() + "recovery_deleted", durability, memory);
  const ModelSpec& spec = models_[0]->spec();
  const auto push = [&](int stream, int number) {
    Request request(0, spec, {{Name(stream), number * kSecond, {20, 50}, static_cast<unsigned>(number)}});
    kept_->Admit(request);
    return request.answer(0).steps;
  };
  const auto delete_stream = [&](int stream) {
    kept_->shard().Delete(*kept_->shard().Find(Name(stream)));
    kept_->RunAll();
  };
  for (int number = 1; number <= 3; ++number) {
    for (int i = 0; i < kStreams; ++i) push(i, number);
  }
  kept_->Checkpoint();
  for (int i = 0; i < kStreams; ++i) delete_stream(i);
  const auto begin_anew = [&] {
    for (int i = 0; i < kStreams; i += 10) {
      ASSERT_EQ(push(i, 1), 1u);
      if (i % 20 == 0) delete_stream(i);
      if (i % 40 == 0) {
        ASSERT_EQ(push(i, 1), 1u);
      }
    }
  };
  kept_->Checkpoint(/*cut=*/false, begin_anew);
  if (memory > 0) begin_anew();
  for (const char* when : {"after a crash", "after a checkpoint and a crash"}) {
    kept_->Crash();
    for (int i = 0; i < kStreams; ++i) {
      const auto key = kept_->shard().Find(Name(i));
      ASSERT_EQ(key.has_value(), i % 20 == 10 || i % 40 == 0) << i << " " << when;
      if (key) {
        EXPECT_EQ(kept_->shard().header(*key).steps, 1u) << i << " " << when;
      }
    }
    kept_->Checkpoint();
  }
}

// A checkpoint comes between the answer of a reading and the steps of those that waited for it.
TEST_P(RecoveryTest, WhatAReadingReleasedIsSteppedThoughACheckpointComesBetween) {
  constexpr int kHeld = 64;  // more than one Run steps
  ModelSpec spec = Spec(2);
  spec.reorder_window = kHeld;
  const std::array<std::shared_ptr<const Model>, 1> models = {TinyModel(spec, 3)};
  const auto [durability, memory] = GetParam();
  kept_.emplace(models, testing::TempDir() + "recovery_released", durability, memory);
  const auto push = [&](const std::string& stream, int second) {
    Request request(0, spec, {{stream, second * kSecond, {20 + static_cast<float>(second % 3), 50}}});
    kept_->Admit(request);
  };
  for (int second = 1; second <= 2 + kHeld; ++second) push("in order", second);
  push("held", 1);
  for (int second = 3; second <= 2 + kHeld; ++second) push("held", second);
  Request releases(0, spec, {{"held", 2 * kSecond, {22, 50}}});
  kept_->shard().Admit(releases.work);
  std::vector<Work*> done;
  kept_->shard().Run(done);
  ASSERT_LT(kept_->shard().header(*kept_->shard().Find("held")).steps, 2 + kHeld);
  kept_->Checkpoint();
  kept_->Crash();
  std::vector<float> held(spec.outputs()), in_order(spec.outputs());
  const StreamKey key = *kept_->shard().Find("held");
  EXPECT_EQ(kept_->shard().header(key).steps, 2 + kHeld);
  kept_->shard().Forecast(key, held);
  kept_->shard().Forecast(*kept_->shard().Find("in order"), in_order);
  EXPECT_EQ(Bits(held), Bits(in_order));
}

// Room for a few streams alone, so that most of them come and go.
INSTANTIATE_TEST_SUITE_P(Modes, RecoveryTest,
                         testing::Values(std::pair(Durability::kProcess, 0), std::pair(Durability::kPower, 0),
                                         std::pair(Durability::kProcess, 3000)),
                         [](const auto& mode) {
                           return mode.index == 0   ? "Process"
                                  : mode.index == 1 ? "Power"
                                                    : "ProcessWithLittleMemory";
                         });

}  // namespace
}  // namespace tidegate
