#pragma once

namespace tidegate {

inline constexpr const char* kVersion = TIDEGATE_VERSION;  // of the project in CMakeLists.txt

}  // namespace tidegate
