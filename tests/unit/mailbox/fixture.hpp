#pragma once

#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/mailbox.hpp>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

// A real temporary directory, messages made on the spot, and the few calls most tests share.

namespace mailbox_test {

namespace mb = ima::mailbox;

class temporary_directory {
 public:
  temporary_directory() {
    // In memory where that is possible: a disk's syncs take their time, and prove nothing here.
    const std::filesystem::path memory = "/dev/shm";
    const auto place =
        std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
    std::string name = (place / "ima-mailbox-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory() { std::filesystem::remove_all(path_); }
  std::string operator/(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

 private:
  std::string path_;
};

struct part {
  std::string content;
  std::string type = "text/plain";
  std::string name = "";
};

struct message {
  ima::header_block header;
  std::string body;
};

inline message compose(std::string_view subject, const std::vector<part>& parts) {
  ima::header_builder builder;
  builder.field("from", "alice@a.example").field("to", "bob@b.example");
  builder.field("bcc", "dan@b.example").field("subject", subject);
  std::string body;
  for (const auto& p : parts) {
    builder.part({p.content.size(), ima::digest::of(p.content), p.type, "", "", "", p.name});
    body += p.content;
  }
  return {builder.build().value(), body};
}

inline mb::target target_at(const std::string& path) {
  mb::target t;
  t.path = path;
  t.note.verified_domain = "a.example";
  t.note.received = ima::timestamp::parse("2026-11-23T09:30:00Z").value();
  return t;
}

inline std::vector<ima::result<mb::delivered>> deliver(mb::file_system& files, const message& m,
                                                       std::vector<mb::target> targets) {
  const std::size_t count = targets.size();
  auto d = mb::delivery::begin(files, m.header, std::move(targets));
  if (!d) return std::vector<ima::result<mb::delivered>>(count, d.error());
  ima::body_reader reader(m.header);
  ima::octets rest = m.body;
  while (true) {
    auto slice = reader.next(rest);
    REQUIRE(slice);
    if (!*slice) break;
    if (auto written = d->write(**slice); !written) break;
  }
  return d->commit();
}

inline ima::result<mb::delivered> deliver(mb::file_system& files, const message& m,
                                          const std::string& path) {
  return deliver(files, m, {target_at(path)}).front();
}

inline std::vector<mb::entry> all(mb::mailbox& box, std::string_view folder = "inbox") {
  return box.changes(folder, "0", 100'000).value().entries;
}

inline std::string read_part(mb::mailbox& box, const std::string& id, std::uint64_t number,
                             std::string_view folder = "inbox") {
  auto part = box.open_part(folder, id, number);
  if (!part) return "error: " + std::string(part.error().rule);
  std::string text((*part)->size(), '\0');
  const auto count = (*part)->read_at(0, text).value();
  text.resize(count);
  return text;
}

// The whole message as it is read back; empty where anything is wrong.
inline bool whole(mb::mailbox& box, const std::string& id, const message& m,
                  std::string_view folder = "inbox") {
  auto header = box.header(folder, id);
  if (!header || !*header || (*header)->header.id_digest() != m.header.id_digest()) return false;
  std::string body;
  for (std::size_t i = 1; i <= m.header.parts().size(); ++i) body += read_part(box, id, i, folder);
  return body == m.body;
}

}  // namespace mailbox_test
