// Files with one message, and the output of every file.

#include "support/try.hpp"
#include "translate/item.hpp"
#include "translate/output_file.hpp"

#include <ima/service/message_file.hpp>
#include <ima/translate/mail_file.hpp>

#include <utility>

namespace ima::translate {
namespace {

class file_source : public item_source {
 public:
  explicit file_source(const transfer_options& what) : what_(what) {}

  result<std::optional<item>> next() override {
    if (std::exchange(done_, true)) return std::optional<item>();
    return what_.from == format::eml ? mail() : message();
  }

 private:
  result<std::optional<item>> mail() const {
    IMA_TRY(file, mail_file::open(what_.in, false, what_.bounds));
    item one;
    one.size = file.size();
    one.octets = std::make_unique<mail_file>(std::move(file));
    return std::optional(std::move(one));
  }
  result<std::optional<item>> message() const {
    IMA_TRY(file, service::message_file::open(what_.in, what_.bounds));
    item one;
    one.header = file.header();
    one.size = file.header().body_size();
    one.octets = std::make_unique<service::message_file>(std::move(file));
    return std::optional(std::move(one));
  }

  transfer_options what_;
  bool done_ = false;
};

class file_target : public item_target {
 public:
  file_target(const transfer_options& what, output_file out) : what_(what), out_(std::move(out)) {}

  std::future<result<bool>> write(item& one, std::vector<remark>& remarks) override {
    return done(write_now(one, remarks));
  }
  result<void> finish(bool whole) override { return whole ? out_.finish() : result<void>(); }

 private:
  result<bool> write_now(item& one, std::vector<remark>& remarks) {
    if (std::exchange(written_, true))
      return error{fault::caller, "transfer-out", what_.out,
                   "a file of one message cannot take another"};
    const octet_writer take = [&](octets piece) { return out_.write(piece); };
    if (what_.to == format::eml) {
      IMA_CHECK(write_mail(one, what_.bounds, remarks, take));
      return true;
    }
    IMA_CHECK(write_message(
        one, what_.bounds, remarks, [&](const header_block& h) { return out_.write(h.text()); },
        take));
    return true;
  }

  transfer_options what_;
  output_file out_;
  bool written_ = false;
};

}  // namespace

result<std::unique_ptr<item_source>> open_file_source(const transfer_options& what) {
  return std::unique_ptr<item_source>(std::make_unique<file_source>(what));
}

result<std::unique_ptr<item_target>> open_file_target(const transfer_options& what) {
  IMA_TRY(out, output_file::open(what.out));
  return std::unique_ptr<item_target>(std::make_unique<file_target>(what, std::move(out)));
}

}  // namespace ima::translate
