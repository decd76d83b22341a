# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ax650_fw_global_optspecs
    string join \n q/quiet h/help V/version
end

function __fish_ax650_fw_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ax650_fw_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ax650_fw_using_subcommand
    set -l cmd (__fish_ax650_fw_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ax650-fw -n "__fish_ax650_fw_needs_command" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-fw -n "__fish_ax650_fw_needs_command" -s h -l help -d 'Print help'
complete -c ax650-fw -n "__fish_ax650_fw_needs_command" -s V -l version -d 'Print version'
complete -c ax650-fw -n "__fish_ax650_fw_needs_command" -f -a "inspect" -d 'Show what is in a container'
complete -c ax650-fw -n "__fish_ax650_fw_needs_command" -f -a "verify" -d 'Check containers: structure and digest'
complete -c ax650-fw -n "__fish_ax650_fw_needs_command" -f -a "pack" -d 'Make a container'
complete -c ax650-fw -n "__fish_ax650_fw_needs_command" -f -a "extract" -d 'Take a container apart'
complete -c ax650-fw -n "__fish_ax650_fw_needs_command" -f -a "manifest" -d 'Print a manifest with the layout of real firmware, to start from'
complete -c ax650-fw -n "__fish_ax650_fw_needs_command" -f -a "boot" -d 'Boot a card with the installed firmware and wait until it runs'
complete -c ax650-fw -n "__fish_ax650_fw_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand inspect" -l json -d 'Print JSON'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand inspect" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand verify" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand verify" -s h -l help -d 'Print help'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand pack" -s o -l output -d 'The container to make' -r -F
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand pack" -s m -l manifest -d 'Manifest, if it is not manifest.toml in the directory' -r -F
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand pack" -l set-version -d 'Version of the firmware, instead of that in the manifest' -r
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand pack" -l sample -d 'Pack meaningless bytes in the layout of real firmware, for the emulated card' -r -f -a "small\t'A few MiB'
real\t'As large as real firmware, 155 MB'"
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand pack" -s f -l force -d 'Replace a file in the way'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand pack" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand pack" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand extract" -s o -l output -d 'Directory to write to, made if need be' -r -F
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand extract" -s f -l force -d 'Replace files in the way'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand extract" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand extract" -s h -l help -d 'Print help'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand manifest" -l set-version -d 'Version of the firmware' -r
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand manifest" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand manifest" -s h -l help -d 'Print help'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand boot" -s d -l device -d 'The same as an option, as ax650 has it' -r
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand boot" -l timeout -d 'How long to wait until the card runs' -r
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand boot" -l if-needed -d 'Do nothing if the card runs'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand boot" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand boot" -s h -l help -d 'Print help'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand help; and not __fish_seen_subcommand_from inspect verify pack extract manifest boot help" -f -a "inspect" -d 'Show what is in a container'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand help; and not __fish_seen_subcommand_from inspect verify pack extract manifest boot help" -f -a "verify" -d 'Check containers: structure and digest'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand help; and not __fish_seen_subcommand_from inspect verify pack extract manifest boot help" -f -a "pack" -d 'Make a container'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand help; and not __fish_seen_subcommand_from inspect verify pack extract manifest boot help" -f -a "extract" -d 'Take a container apart'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand help; and not __fish_seen_subcommand_from inspect verify pack extract manifest boot help" -f -a "manifest" -d 'Print a manifest with the layout of real firmware, to start from'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand help; and not __fish_seen_subcommand_from inspect verify pack extract manifest boot help" -f -a "boot" -d 'Boot a card with the installed firmware and wait until it runs'
complete -c ax650-fw -n "__fish_ax650_fw_using_subcommand help; and not __fish_seen_subcommand_from inspect verify pack extract manifest boot help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
