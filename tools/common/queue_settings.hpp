#pragma once

#include "config.hpp"

#include <ima/service/queue.hpp>

#include <cstddef>
#include <string>

namespace ima::tools {

struct queue_settings {
  std::string path;  ///< Empty where there is no queue.
  service::retry_policy retry;
  std::size_t connections = 200;
  std::size_t per_host = 4;
};

/// Reads a `[queue]` table:
///
///     [queue]
///     path = "queue"
///     first-retry = "1min"
///     longest-retry = "4h"
///     lifetime = "5d"
///     connections = 200
///     connections-per-host = 4
void read_queue(config_table& config, queue_settings& settings);

}  // namespace ima::tools
