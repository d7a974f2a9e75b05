#pragma once

#include "server/metrics/instruments.h"

namespace tidegate {

// What is counted of the store; all 0 without one. Each has one writer at a time, any thread may read.
struct StoreMetrics {
  StoreMetrics();
  Counter journal_bytes;         // of groups
  Counter journal_groups;        //
  Histogram commit_seconds;      // of each commit of the journal, its sync included
  Histogram checkpoint_seconds;  // from its beginning until the journal is shorter
  Gauge checkpoint_age;          // milliseconds since the last one began
  Gauge replay_left;             // bytes of the journal, while streams are brought back
};

}  // namespace tidegate
