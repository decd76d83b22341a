# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ax650_llm_global_optspecs
    string join \n d/device= q/quiet h/help V/version
end

function __fish_ax650_llm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ax650_llm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ax650_llm_using_subcommand
    set -l cmd (__fish_ax650_llm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ax650-llm -n "__fish_ax650_llm_needs_command" -s d -l device -d 'The card: its number, its name, its node or its PCI address; else the first one' -r
complete -c ax650-llm -n "__fish_ax650_llm_needs_command" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-llm -n "__fish_ax650_llm_needs_command" -s h -l help -d 'Print help'
complete -c ax650-llm -n "__fish_ax650_llm_needs_command" -s V -l version -d 'Print version'
complete -c ax650-llm -n "__fish_ax650_llm_needs_command" -f -a "run" -d 'Chat with a model'
complete -c ax650-llm -n "__fish_ax650_llm_needs_command" -f -a "serve" -d 'Let programs chat with a model: HTTP as OpenAI has it'
complete -c ax650-llm -n "__fish_ax650_llm_needs_command" -f -a "bench" -d 'Measure how fast a model answers, and what a token costs on the bus'
complete -c ax650-llm -n "__fish_ax650_llm_needs_command" -f -a "transcribe" -d 'Turn speech in a WAV file into text with times'
complete -c ax650-llm -n "__fish_ax650_llm_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -s p -l prompt -d 'What to ask; without it lines of standard input are, one after the other' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -s i -l image -d 'A PNG or JPEG picture, in front of the first question; several times for several (models that see pictures)' -r -F
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -s s -l system -d 'What the model is told of its task' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -s n -l max-tokens -d 'Most tokens of an answer' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -s t -l temperature -d 'What the numbers of the head are divided by before chance decides; 0: always the likeliest token' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -l top-p -d 'Only the likeliest tokens whose probabilities add up to this' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -l top-k -d 'Only so many of the likeliest tokens; 0: all' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -l seed -d 'The same seed gives the same answer' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -s d -l device -d 'The card: its number, its name, its node or its PCI address; else the first one' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -l json -d 'Print JSON: text, tokens, times (with --prompt)'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand run" -s h -l help -d 'Print help'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand serve" -s l -l listen -d 'Address and port to listen on; other addresses than loopback let others in, who need no password' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand serve" -l chats -d 'Answers that are made at the same time, each with caches of its own on the card' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand serve" -l queue -d 'Requests that wait for their turn; more are told to come again later' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand serve" -s d -l device -d 'The card: its number, its name, its node or its PCI address; else the first one' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand serve" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand serve" -s h -l help -d 'Print help'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand bench" -l prompt-tokens -d 'Tokens of the prompt' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand bench" -s n -l tokens -d 'Tokens that are made' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand bench" -l chats -d 'Conversations at the same time' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand bench" -s d -l device -d 'The card: its number, its name, its node or its PCI address; else the first one' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand bench" -l json -d 'Print JSON'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand bench" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand bench" -s h -l help -d 'Print help'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand transcribe" -s l -l language -d 'The language that is spoken, such as en, if the model knows several; else that which the first window seems to be in' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand transcribe" -l vad -d 'A model of voice activity, such as Silero\'s: hear only where somebody speaks' -r -F
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand transcribe" -s d -l device -d 'The card: its number, its name, its node or its PCI address; else the first one' -r
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand transcribe" -l json -d 'Print JSON: text, segments, tokens, costs'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand transcribe" -s q -l quiet -d 'Print nothing but errors and what was asked for'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand transcribe" -s h -l help -d 'Print help'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand help; and not __fish_seen_subcommand_from run serve bench transcribe help" -f -a "run" -d 'Chat with a model'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand help; and not __fish_seen_subcommand_from run serve bench transcribe help" -f -a "serve" -d 'Let programs chat with a model: HTTP as OpenAI has it'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand help; and not __fish_seen_subcommand_from run serve bench transcribe help" -f -a "bench" -d 'Measure how fast a model answers, and what a token costs on the bus'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand help; and not __fish_seen_subcommand_from run serve bench transcribe help" -f -a "transcribe" -d 'Turn speech in a WAV file into text with times'
complete -c ax650-llm -n "__fish_ax650_llm_using_subcommand help; and not __fish_seen_subcommand_from run serve bench transcribe help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
