#pragma once

#include <ima/error.hpp>
#include <ima/mailbox/mailbox.hpp>

#include <filesystem>
#include <string>

namespace ima::tools {

/// The directory that has this host's indexes of mailboxes, where no setting says another: `index`
/// in the directory that systemd made for the service ($CACHE_DIRECTORY), else
/// `ima/index/HOST` in the user's cache ($XDG_CACHE_HOME, else `.cache` in $HOME), as a home may be
/// shared by hosts. Empty where there is none of these.
std::filesystem::path default_index_path();

/// Makes the directory, for its owner alone, where it is missing. Error: fault::caller
/// `config-file`.
result<void> make_index_path(const std::filesystem::path& directory);

/// How a program opens a mailbox that may be a served one: with the index inside where there is
/// one, as in a copy by fetch-mail, else this host's own, else one for this once. A torn journal is
/// told on standard error.
mailbox::options options_for(const std::string& mailbox);

}  // namespace ima::tools
