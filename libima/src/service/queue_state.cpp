#include "service/queue_state.hpp"

#include "service/queue_record.hpp"
#include "support/parent_of.hpp"
#include "support/try.hpp"

#include <ima/digest.hpp>

#include <fmt/format.h>

#include <random>
#include <utility>

namespace ima::service {
namespace {

namespace rec = queue_record;

constexpr std::string_view format_text = "ima-queue 1\n";

}  // namespace

bool is_message_id(std::string_view id) { return digest::parse(id).has_value(); }

error no_such_message(std::string_view id) {
  return {fault::caller, "queue-id", std::string(id), "the queue has no message by this id"};
}

error damaged_message(std::string_view id, std::string why) {
  return {fault::peer, "queue-damaged", std::string(id), std::move(why)};
}

std::string queue::state::entry(std::string_view id) const {
  return fmt::format("{}/entries/{}", path, id);
}

std::string queue::state::file(std::string_view id, std::string_view name) const {
  return fmt::format("{}/entries/{}/{}", path, id, name);
}

std::string queue::state::temporary(std::string_view id) const {
  std::random_device random;
  return fmt::format("{}/tmp/{}.{:08x}{:08x}", path, id, random(), random());
}

result<std::vector<std::string>> queue::state::names_in(const std::string& place) const {
  std::vector<std::string> names;
  IMA_CHECK(disk.list(place, [&](const std::string& name) -> result<void> {
    names.push_back(name);
    return {};
  }));
  return names;
}

result<bool> queue::state::is_ready() const {
  const std::string format = path + "/format";
  IMA_TRY(marked, disk.status(format));
  if (!marked) return false;
  IMA_TRY(file, disk.open(format));
  IMA_TRY(text, rec::read_all(*file));
  if (text == format_text) return true;
  return error{fault::caller, "queue-format", format, "this is not a queue of version 1"};
}

result<void> queue::state::make_ready() const {
  for (const std::string& directory : {path, path + "/tmp", path + "/entries"}) {
    auto made = disk.make_directory(directory);
    if (!made && made.error().rule != "file-exists") return made;
  }
  const std::string draft = path + "/tmp/format";
  IMA_TRY(file, disk.open_append(draft));
  IMA_CHECK(file->lock());
  // Of several that make the same queue one comes first; the others may have opened what has its
  // name by now.
  IMA_TRY(ready, is_ready());
  if (ready) {
    auto gone = disk.unlink(draft);
    return gone || gone.error().rule == "file-missing" ? result<void>() : gone;
  }
  IMA_CHECK(file->truncate(0));
  IMA_CHECK(file->append(format_text));
  IMA_CHECK(file->sync());
  IMA_CHECK(disk.rename(draft, path + "/format"));
  IMA_CHECK(disk.sync_directory(path));
  return disk.sync_directory(parent_of(path));
}

result<void> queue::state::remove_tree(const std::string& place) const {
  IMA_TRY(names, names_in(place));
  const auto missing = [](const result<void>& r) { return !r && r.error().rule == "file-missing"; };
  for (const std::string& name : names) {
    auto gone = disk.unlink(fmt::format("{}/{}", place, name));
    if (!gone && !missing(gone)) return gone;  // two may be at it
  }
  auto gone = disk.remove_directory(place);
  if (missing(gone)) return {};
  return gone;
}

result<void> queue::state::remove(std::string_view id) const {
  const std::string place = temporary(id);
  IMA_CHECK(disk.rename(entry(id), place));
  return remove_tree(place);
}

result<void> queue::state::poke() const {
  IMA_TRY(file, disk.open_append(path + "/changes"));
  return file->append(".");
}

result<void> queue::state::mark(std::string_view id, std::string_view word) const {
  if (!is_message_id(id)) return no_such_message(id);
  IMA_TRY(there, has(id));
  if (!there) return no_such_message(id);
  const std::string about = file(id, "_entry");
  IMA_TRY(open, disk.open_append(about));
  IMA_CHECK(open->lock());
  IMA_TRY(still, is_at(*open, about));
  if (!still) return no_such_message(id);
  IMA_CHECK(append_lines(*open, rec::line(word)));
  return poke();
}

}  // namespace ima::service
