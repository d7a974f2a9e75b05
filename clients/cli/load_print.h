#pragma once

#include <ostream>
#include <string>

#include "clients/cli/load.h"

namespace tidegate {

// The results of a load, for people and for programs.
void PrintLoad(const LoadOptions& options, const LoadResult& result, std::ostream& out);
std::string LoadJson(const LoadOptions& options, const LoadResult& result);  // ends with a newline
// A header line and one of values, the same columns for every load, so that several can be put together.
std::string LoadCsv(const LoadOptions& options, const LoadResult& result);

}  // namespace tidegate
