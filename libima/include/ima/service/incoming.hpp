#pragma once

#include <ima/delivery/handler.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/header.hpp>
#include <ima/limits.hpp>
#include <ima/mailbox/file_system.hpp>
#include <ima/service/message_file.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace ima::service {

/// Takes one line of a handler's output, without LF.
using line_writer = std::function<void(std::string_view line)>;

/// Gives one message to a handler, as a receiving server would, and writes the lines that
/// docs/delivery.md section 10.1 defines: `OK`, `FAIL`, `DEFER` and `NORECIPIENT` with an address,
/// `NOTE` with text. Returns the exit status of the handler contract: 0 all went well, 1 all failed
/// for good, 75 all are deferred, 2 a mixture, 3 the handler drops the connection. `write` is
/// called one line at a time, on the threads that the handler reports from.
IMA_API int handle_message(message_file& message, delivery::handler& handler,
                           const delivery::peer_info& peer, const line_writer& write);

/// Judges one header block by a handler and writes the lines of the header stage (docs/delivery.md
/// section 10.2). Returns the exit status: 0 accepted or delivered already, 1 rejected, 75
/// deferred, 3 drop the connection.
IMA_API int check_header(const header_block& header, delivery::handler& handler,
                         const delivery::peer_info& peer, const line_writer& write);

/// Puts one message into the mailbox at `path`, once; `recipient`, unless empty, is whose private
/// lines stay and stands in the record. Errors: those of address::parse and of mailbox::delivery,
/// `mailbox-format` where there is no mailbox; fault::peer `part-digest` and fault::temporary
/// `storage` where the file is no longer what was opened.
IMA_API result<void> give_recipient(message_file& message, mailbox::file_system& disk,
                                    const std::string& path, std::string_view recipient,
                                    const delivery::peer_info& peer);

/// The limits of a message that has a receiving server's `received:` line already.
IMA_API limits with_room_for_received(limits bounds) noexcept;

/// The limits of a message that was judged by those of the server that accepted it: none.
IMA_API limits limits_once_accepted() noexcept;

/// The peer as the environment of a handler command tells it (IMA_HOST, IMA_VERIFIED_DOMAIN,
/// IMA_PEER, IMA_PEER_TLS, IMA_PEER_CERTIFICATE); empty members where it does not.
IMA_API delivery::peer_info peer_from_environment();

}  // namespace ima::service
