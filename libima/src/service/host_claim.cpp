#include "service/queue_record.hpp"
#include "service/queue_state.hpp"
#include "support/try.hpp"

#include <utility>

namespace ima::service {

namespace rec = queue_record;

result<void> append_lines(mailbox::file& file, std::string_view lines) {
  IMA_TRY(text, rec::read_all(file));
  const std::uint64_t good = rec::read_lines(text, [](std::string_view) {});
  if (good < text.size()) IMA_CHECK(file.truncate(good));
  IMA_CHECK(file.append(lines));
  return file.sync();
}

result<void> host_claim::content::reread() {
  IMA_TRY(fresh, rec::read_host(*file, host.host, recipients));
  host = std::move(fresh);
  return {};
}

result<void> host_claim::content::write(std::string_view lines) {
  IMA_CHECK(append_lines(*file, lines));
  return reread();
}

host_claim::host_claim(std::unique_ptr<content> c) : content_(std::move(c)) {}
host_claim::host_claim(host_claim&&) noexcept = default;
host_claim& host_claim::operator=(host_claim&&) noexcept = default;
host_claim::~host_claim() = default;

const std::string& host_claim::id() const noexcept { return content_->id; }
const queued_host& host_claim::state() const noexcept { return content_->host; }

result<void> host_claim::record(const std::vector<delivery::recipient_result>& results,
                                std::string_view problem, std::chrono::sys_seconds next) {
  std::string lines;
  for (const auto& r : results) lines += rec::result_line(r);
  return content_->write(lines + rec::try_line(content_->disk.now(), next, problem));
}

result<void> host_claim::mark_reported() { return content_->write(rec::line("reported")); }

result<void> host_claim::make_due() {
  return content_->write(rec::line("due " + rec::date(content_->disk.now())));
}

}  // namespace ima::service
