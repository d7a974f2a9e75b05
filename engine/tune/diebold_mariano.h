#pragma once

#include <cstddef>
#include <span>

namespace tidegate {

// Whether two forecasters differ: Diebold & Mariano 1995, with the correction for few forecasts of Harvey,
// Leybourne & Newbold 1997.
struct DieboldMariano {
  double statistic = 0;  // below 0: the first errs less
  double p = 1;          // of a difference as large by chance, two-sided, normal; 1: nothing can be said
};

// differences [n]: loss of the first less that of the second, origin by origin in order of time; horizon:
// steps of each forecast, as neighbouring origins share targets. The variance is that of the paper, with all
// autocovariances up to the horizon, or, where that is larger, that of Bartlett's kernel, which is never
// negative.
DieboldMariano CompareLosses(std::span<const double> differences, std::size_t horizon);

}  // namespace tidegate
