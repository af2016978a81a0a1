#include "mirror/failures.hpp"

namespace ima::mirror {

bool is_of_message(const error& why) {
  return why.rule == "storage" || why.rule == "internal" ||
         (why.kind == fault::refused && why.rule != "no-folder" && why.rule != "no-message");
}

error unavailable_for(const std::string& id, const error& why) {
  return {why.kind, unavailable, id, why.message()};
}

error broken(const std::string& id, std::string_view rule, std::string_view text) {
  return unavailable_for(id, {fault::peer, rule, "", std::string(text)});
}

}  // namespace ima::mirror
