#pragma once

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// What a fuzz target defines. Every target is built twice: with clang's libFuzzer (CMake preset `asan`),
// which looks for inputs that reach new code, and in every other build as a program that feeds it the seeds
// and a fixed number of mutations of them.

namespace tidegate {

// Valid inputs, from which others are made.
std::vector<std::string> Seeds();

// Gives any bytes to the code under test. Ends the process if a promise of that code is broken.
void Fuzz(absl::string_view input);

// For Fuzz: ends the process, saying `promise`, unless `holds`.
inline void Require(bool holds, absl::string_view promise) {
  if (holds) return;
  std::cerr << "broken: " << promise << std::endl;
  std::abort();
}

}  // namespace tidegate
