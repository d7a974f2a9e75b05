#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <random>
#include <string>

namespace tidegate {

// `input` with one to four random changes: a flipped bit, a byte set to 0, 127, 128 or 255, bytes cut out,
// put in, repeated or copied to another place, or the end cut off. The same for equal states of `random`.
inline std::string Mutate(std::string input, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random() % n); };
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(input.size());
    const std::size_t length = std::min(input.size() - at, 1 + below(16));
    const std::size_t change = input.empty() ? 3 : below(7);
    switch (change) {
      case 0:
        input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 1:
        input[at] = std::array{'\0', '\x7f', '\x80', '\xff'}[below(4)];
        break;
      case 2:
        input.erase(at, length);
        break;
      case 3:
        input.insert(at, 1 + below(4), static_cast<char>(random()));
        break;
      case 4:
        input.insert(at, input.substr(at, length));
        break;
      case 5:
        input.replace(below(input.size()), length, input.substr(at, length));
        break;
      default:
        input.resize(at);
    }
  }
  return input;
}

}  // namespace tidegate
