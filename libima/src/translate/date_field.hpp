#pragma once

#include <ima/date.hpp>

#include <optional>
#include <string_view>

namespace ima::translate {

/// What a Date field says (RFC 5322 section 3.3).
struct date_field {
  std::optional<timestamp> when;  ///< Nothing where no date with a time of day is understood.
  bool clean = false;             ///< `when` is all that the field says.
};

date_field read_date(std::string_view value);

}  // namespace ima::translate
