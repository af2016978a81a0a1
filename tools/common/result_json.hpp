#pragma once

#include "json.hpp"

#include <ima/delivery/types.hpp>

#include <vector>

namespace ima::tools {

/// Recipients' results, as an array of objects with "recipient", "result" and "text".
void put_results(json_writer& out, const std::vector<delivery::recipient_result>& results);

}  // namespace ima::tools
