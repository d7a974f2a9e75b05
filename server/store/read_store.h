#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/store/group_reader.h"
#include "server/store/rocks.h"
#include "server/store/stored_state.h"

namespace tidegate {

// Reads of an open database; as the functions of Store say. Thread-safe.

absl::Status ReadStatesOf(const Database& database, std::span<const absl::string_view> ids,
                          std::span<bool> found, std::span<StoredState> states);

absl::Status ReadAllStates(const Database& database,
                           const std::function<absl::Status(absl::string_view, const StoredState&)>& each,
                           absl::string_view from = {});

// The groups behind `position`, up to the one at `end`; each must follow the one before it, and the first one
// `position` or what is before it.
absl::Status ReadJournal(const StoreFiles& files, std::uint64_t position, std::uint64_t end,
                         const std::function<absl::Status(GroupReader&, double)>& each);

}  // namespace tidegate
