#include "mailbox/layout.hpp"

#include <ima/mailbox/names.hpp>

namespace ima::mailbox {

std::string attachment_name(std::size_t part, std::string_view name) {
  return layout::attachment_name(part, name);
}

}  // namespace ima::mailbox
