# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ax650_global_optspecs
    string join \n d/device= v/verbose h/help V/version
end

function __fish_ax650_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ax650_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ax650_using_subcommand
    set -l cmd (__fish_ax650_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ax650 -n "__fish_ax650_needs_command" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_needs_command" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_needs_command" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_needs_command" -s V -l version -d 'Print version'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "list" -d 'List the cards of this system'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "info" -d 'Show a card\'s identity, state, temperature, memory, load and processes'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "top" -d 'Show cards and their clients over time, as top does for processes'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "exporter" -d 'Serve figures of all cards to Prometheus'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "check" -d 'Find out what keeps this system from using its cards, and what to do about it'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "log" -d 'Print the log of a card\'s service'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "run" -d 'Run a model'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "decode" -d 'Decode a video or a JPEG picture'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "encode" -d 'Encode pictures to a video or a JPEG picture'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "transcode" -d 'Decode and encode a video on the card; pictures do not cross the link'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "detect" -d 'Find things in videos and pictures with a detector; pictures do not cross the link'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "classify" -d 'Name what videos and pictures show with a classifier; pictures do not cross the link'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "embed" -d 'Turn pictures into vectors that tell how alike they are; pictures do not cross the link'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "ocr" -d 'Read the text in pictures'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "bench" -d 'Measure latency and bandwidth'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "reset" -d 'Reset a card and boot it again (needs CAP_SYS_ADMIN)'
complete -c ax650 -n "__fish_ax650_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ax650 -n "__fish_ax650_using_subcommand list" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand list" -l json -d 'Print JSON'
complete -c ax650 -n "__fish_ax650_using_subcommand list" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand list" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand info" -s w -l watch -d 'Repeat every SECONDS until interrupted' -r
complete -c ax650 -n "__fish_ax650_using_subcommand info" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand info" -l json -d 'Print JSON, one object a line'
complete -c ax650 -n "__fish_ax650_using_subcommand info" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand info" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand top" -l delay -d 'Time between two looks' -r
complete -c ax650 -n "__fish_ax650_using_subcommand top" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand top" -l once -d 'Print cards and clients once, after one delay'
complete -c ax650 -n "__fish_ax650_using_subcommand top" -l json -d 'Print JSON, one object a line, instead of a screen'
complete -c ax650 -n "__fish_ax650_using_subcommand top" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand top" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand exporter" -l listen -d 'Where to listen; port 0 takes any that is free.  There is no encryption and no password: for an address that others reach, put a proxy in front' -r
complete -c ax650 -n "__fish_ax650_using_subcommand exporter" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand exporter" -l once -d 'Print the figures to standard output once, for the textfile collector of node_exporter'
complete -c ax650 -n "__fish_ax650_using_subcommand exporter" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand exporter" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand check" -l sysroot -d 'Look at the system below DIR; for tests' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand check" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand check" -l json -d 'Print JSON'
complete -c ax650 -n "__fish_ax650_using_subcommand check" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand check" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand log" -s o -l output -d 'File for the log; - for standard output' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand log" -l kind -d 'Number of the log, for cards that keep more than one; firmware decides what it means' -r
complete -c ax650 -n "__fish_ax650_using_subcommand log" -l flag -d 'Further number that is handed to the card as it is' -r
complete -c ax650 -n "__fish_ax650_using_subcommand log" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand log" -l force -d 'Replace a file that exists'
complete -c ax650 -n "__fish_ax650_using_subcommand log" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand log" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand run" -s i -l input -d 'Input tensor, [NAME=]FILE, raw little endian or .npy, - for standard input; may be repeated.  Without names inputs are taken in order; inputs without a file are filled, see --fill' -r
complete -c ax650 -n "__fish_ax650_using_subcommand run" -s o -l output -d 'Directory for the output tensors, made if it is not there' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand run" -s g -l group -d 'Shape group' -r
complete -c ax650 -n "__fish_ax650_using_subcommand run" -s r -l repeat -d 'Run N times' -r
complete -c ax650 -n "__fish_ax650_using_subcommand run" -l parallel -d 'Keep N of the runs under way at a time: one is copied in and another out while a third runs' -r
complete -c ax650 -n "__fish_ax650_using_subcommand run" -l fill -d 'What inputs without a file are filled with' -r -f -a "zero\t'Zeros'
random\t'Random numbers, the same in each run: 0 to 1 for floating point, else any bytes'"
complete -c ax650 -n "__fish_ax650_using_subcommand run" -l timeout -d 'Give up on a run after SECONDS (default: the driver\'s limit)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand run" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand run" -l npy -d 'Write outputs as .npy instead of raw'
complete -c ax650 -n "__fish_ax650_using_subcommand run" -l force -d 'Replace output files that exist'
complete -c ax650 -n "__fish_ax650_using_subcommand run" -l json -d 'Print times as JSON'
complete -c ax650 -n "__fish_ax650_using_subcommand run" -s q -l quiet -d 'No progress while the model is sent'
complete -c ax650 -n "__fish_ax650_using_subcommand run" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -s o -l output -d '.nv12, .yuv (planar 4:2:0) or .y4m file; - for standard output' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -l pixels -d 'Pixel format (default: nv12; yuv420p for .yuv and .y4m)' -r -f -a "nv12\t'Luma, then interleaved chroma'
yuv420p\t'Luma, then the two planes of chroma'"
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -l fps -d 'Pictures per second (default: what the file says, else 25)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -l track -d 'Track of an MP4 file, from 1 (default: the first video that can be decoded)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -s n -l frames -d 'Stop after N pictures' -r
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -l md5 -d 'Print an MD5 per picture in the format of `ffmpeg -f framemd5`'
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -l y4m -d 'Write a .y4m file, whatever its name'
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -l strict -d 'Fail where the output cannot hold all of the input (bit depth, rotation and the like)'
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -l force -d 'Replace a file that exists'
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -s q -l quiet -d 'No progress and no summary'
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand decode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -s o -l output -d '.h264, .h265, .mp4 or .jpg (the first picture only) file; - for a stream on standard output' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -s s -l size -d 'Size of the pictures, needed unless the input is .y4m; pictures are not scaled' -r
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -l fps -d 'Pictures per second, such as 30 or 30000/1001 (default: that of the .y4m, else 30)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -l pixels -d 'Pixel format of the input (default: by its name)' -r -f -a "nv12\t'Luma, then interleaved chroma'
yuv420p\t'Luma, then the two planes of chroma'"
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -l codec -d 'Codec (default: by the name of the output; h264 for .mp4)' -r -f -a "h264\t'H.264'
h265\t'H.265'"
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -l profile -d 'Profile (default: high of H.264, main of H.265)' -r -f -a "baseline\t'H.264 for the oldest decoders'
main\t'H.264 or H.265'
high\t'H.264'
high10\t'H.264 for decoders that can do 10 bits a sample; there are 8 all the same'
main10\t'H.265 for decoders that can do 10 bits a sample; there are 8 all the same'"
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -l level -d 'Level, such as 4.1 (default: the lowest that suits size, pictures per second and bit rate)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -l rc -d 'Rate control (default: cbr with --bitrate, cqp with --qp, else vbr)' -r -f -a "cbr\t'Constant bit rate'
vbr\t'Steady quality below a bit rate'
avbr\t'As vbr, and still scenes cost less'
cvbr\t'Variable, with a bit rate that holds in the long run'
qvbr\t'Quality as the scene needs it, around a bit rate'
cqp\t'Fixed quantisers'"
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -s b -l bitrate -d 'Bit rate of cbr, cvbr or qvbr, bits per second, such as 2500k or 4M (default: by size and pictures per second)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -l max-bitrate -d 'Bit rate that vbr, avbr or cvbr do not exceed (default: one and a half times the usual rate)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -l qp -d 'Fixed quantisers of cqp, 0 (best) to 51: one for all pictures, or those of intra, predicted and two-way predicted ones as I,P or I,P,B; also for a JPEG picture' -r
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -s g -l gop -d 'Pictures from one intra picture to the next (default: four seconds)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -l bframes -d 'Pictures predicted both ways between two others; only 0 is possible' -r
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -s n -l frames -d 'Stop after N pictures' -r
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -l force -d 'Replace a file that exists'
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -s q -l quiet -d 'No progress and no summary'
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand encode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -s o -l output -d '.h264, .h265 or .mp4 file; - for a stream on standard output' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l fps -d 'Pictures per second (default: what the file says, else 25)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l track -d 'Track of an MP4 file, from 1 (default: the first video that can be decoded)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l codec -d 'Codec (default: by the name of the output; h264 for .mp4)' -r -f -a "h264\t'H.264'
h265\t'H.265'"
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l profile -d 'Profile (default: high of H.264, main of H.265)' -r -f -a "baseline\t'H.264 for the oldest decoders'
main\t'H.264 or H.265'
high\t'H.264'
high10\t'H.264 for decoders that can do 10 bits a sample; there are 8 all the same'
main10\t'H.265 for decoders that can do 10 bits a sample; there are 8 all the same'"
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l level -d 'Level, such as 4.1 (default: the lowest that suits size, pictures per second and bit rate)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l rc -d 'Rate control (default: cbr with --bitrate, cqp with --qp, else vbr)' -r -f -a "cbr\t'Constant bit rate'
vbr\t'Steady quality below a bit rate'
avbr\t'As vbr, and still scenes cost less'
cvbr\t'Variable, with a bit rate that holds in the long run'
qvbr\t'Quality as the scene needs it, around a bit rate'
cqp\t'Fixed quantisers'"
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -s b -l bitrate -d 'Bit rate of cbr, cvbr or qvbr, bits per second, such as 2500k or 4M (default: by size and pictures per second)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l max-bitrate -d 'Bit rate that vbr, avbr or cvbr do not exceed (default: one and a half times the usual rate)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l qp -d 'Fixed quantisers of cqp, 0 (best) to 51: one for all pictures, or those of intra, predicted and two-way predicted ones as I,P or I,P,B; also for a JPEG picture' -r
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -s g -l gop -d 'Pictures from one intra picture to the next (default: four seconds)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l bframes -d 'Pictures predicted both ways between two others; only 0 is possible' -r
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -s n -l frames -d 'Stop after N pictures' -r
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l strict -d 'Fail where the output cannot hold all of the input (bit depth, rotation and the like)'
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -l force -d 'Replace a file that exists'
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -s q -l quiet -d 'No progress and no summary'
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand transcode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -s m -l model -d 'Model with one input, of uint8, 1 x rows x columns x 3, blue first' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -s o -l output -d 'File for the results, a JSON object for each picture in a line of its own; - for standard output' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -l fps -d 'Pictures per second (default: what the file says, else 25)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -s n -l frames -d 'Stop after N pictures of each input' -r
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -l labels -d 'Names of the classes, one a line' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -l threshold -d 'Leave out what the model is less sure of' -r
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -l nms -d 'Leave out the less sure of two boxes of a class that have more than this share in common' -r
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -l draw -d 'Write the pictures with the boxes drawn in: .png (one picture), .mp4, .h264 or .h265.  For that, and only then, pictures cross the link' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -l stretch -d 'Fill the model\'s input instead of keeping the proportions of pictures'
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -l force -d 'Replace files that exist'
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -s q -l quiet -d 'No progress and no summary'
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand detect" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -s m -l model -d 'Model with one input, of uint8, 1 x rows x columns x 3, blue first' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -s o -l output -d 'File for the results, a JSON object for each picture in a line of its own; - for standard output' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -l fps -d 'Pictures per second (default: what the file says, else 25)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -s n -l frames -d 'Stop after N pictures of each input' -r
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -l labels -d 'Names of the classes, one a line' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -l top -d 'Tell the N best classes' -r
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -l stretch -d 'Fill the model\'s input instead of keeping the proportions of pictures'
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -l force -d 'Replace files that exist'
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -s q -l quiet -d 'No progress and no summary'
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -l softmax -d 'Turn scores into probabilities, for models that do not do that themselves'
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand classify" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -s m -l model -d 'Model with one input, of uint8, 1 x rows x columns x 3, blue first' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -s o -l output -d 'File for the results, a JSON object for each picture in a line of its own; - for standard output' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -l fps -d 'Pictures per second (default: what the file says, else 25)' -r
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -s n -l frames -d 'Stop after N pictures of each input' -r
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -l stretch -d 'Fill the model\'s input instead of keeping the proportions of pictures'
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -l force -d 'Replace files that exist'
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -s q -l quiet -d 'No progress and no summary'
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -l raw -d 'Leave vectors as they are; else they have the length 1'
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand embed" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand ocr" -s m -l models -d 'Directory with the models det (where is text), rec (what does it say) and, if text may be upside down, cls, each .axmodel or .onnx, and keys.txt, the characters that rec knows, one a line' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand ocr" -s o -l output -d 'File for the results, a JSON object for each picture in a line of its own; - for standard output' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand ocr" -l threshold -d 'Leave out lines that rec is less sure of' -r
complete -c ax650 -n "__fish_ax650_using_subcommand ocr" -l draw -d 'Write the picture with frames around the text: .png' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand ocr" -l tensors -d 'Write all that goes into the models and comes out of them to DIR, for comparison with another engine' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand ocr" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand ocr" -l force -d 'Replace files that exist'
complete -c ax650 -n "__fish_ax650_using_subcommand ocr" -s q -l quiet -d 'No progress and no summary'
complete -c ax650 -n "__fish_ax650_using_subcommand ocr" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand ocr" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l calls -d 'Echoes to measure latency with' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l sizes -d 'Sizes to measure bandwidth with, such as 64k,1M,8M' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l volume -d 'Bytes to move per size and direction' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l streams -d 'Measure requests that overlap as well, N at a time, each on a stream of its own: from one thread, and from N' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l decode -d 'Instead of times: let N decoders work at once, with what --encode and --infer say beside them.  They are shared out over the cards: all, or those of --device, which may be repeated.  Each must give what one alone gives' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l encode -d 'Let N encoders work at once' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l infer -d 'Let N threads run a model at once' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l infer-model -d 'The model of --infer' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l clip -d 'What is decoded, .mp4, .mov, .h264 or .h265, its first 300 pictures (default: what an encoder makes)' -r -F
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l size -d 'Size of the pictures that are made up and encoded' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l seconds -d 'How long channels work; each ends what it has begun' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -s n -l frames -d 'Stop each channel after N pictures or inferences, or a few more, instead' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l model -d 'Instead of times: count, and compute by a model of the card\'s published link what a token of a language model, a 1080p picture and an inference cost on a real host, beside Axera\'s driver'
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -l json -d 'Print JSON'
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand bench" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand reset" -l timeout -d 'Give up waiting for the card after SECONDS' -r
complete -c ax650 -n "__fish_ax650_using_subcommand reset" -s d -l device -d 'Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first.  May be repeated where several are used: bench --decode, --encode and --infer' -r
complete -c ax650 -n "__fish_ax650_using_subcommand reset" -l no-boot -d 'Leave the card in its loader'
complete -c ax650 -n "__fish_ax650_using_subcommand reset" -s y -l yes -d 'Do not ask, even if processes use the card'
complete -c ax650 -n "__fish_ax650_using_subcommand reset" -s v -l verbose -d 'Tell on standard error what is done; twice: in detail.  The environment variable AX650_LOG (such as debug or ax650::session=trace) does the same'
complete -c ax650 -n "__fish_ax650_using_subcommand reset" -s h -l help -d 'Print help'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "list" -d 'List the cards of this system'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "info" -d 'Show a card\'s identity, state, temperature, memory, load and processes'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "top" -d 'Show cards and their clients over time, as top does for processes'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "exporter" -d 'Serve figures of all cards to Prometheus'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "check" -d 'Find out what keeps this system from using its cards, and what to do about it'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "log" -d 'Print the log of a card\'s service'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "run" -d 'Run a model'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "decode" -d 'Decode a video or a JPEG picture'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "encode" -d 'Encode pictures to a video or a JPEG picture'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "transcode" -d 'Decode and encode a video on the card; pictures do not cross the link'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "detect" -d 'Find things in videos and pictures with a detector; pictures do not cross the link'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "classify" -d 'Name what videos and pictures show with a classifier; pictures do not cross the link'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "embed" -d 'Turn pictures into vectors that tell how alike they are; pictures do not cross the link'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "ocr" -d 'Read the text in pictures'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "bench" -d 'Measure latency and bandwidth'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "reset" -d 'Reset a card and boot it again (needs CAP_SYS_ADMIN)'
complete -c ax650 -n "__fish_ax650_using_subcommand help; and not __fish_seen_subcommand_from list info top exporter check log run decode encode transcode detect classify embed ocr bench reset help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
