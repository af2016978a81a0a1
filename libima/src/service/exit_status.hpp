#pragma once

// What handlers, check and policy commands say by their exit codes (docs/delivery.md section 10).

namespace ima::service::exit_status {

inline constexpr int ok = 0;
inline constexpr int failed = 1;
inline constexpr int mixed = 2;
inline constexpr int drop = 3;
inline constexpr int deferred = 75;

}  // namespace ima::service::exit_status
