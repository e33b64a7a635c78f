# Completion of secretly for fish. What it offers comes from 'secretly __complete': the one on PATH,
# whatever is typed, so that the Tab key starts no program of the current folder.

function __secretly_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    type -q -f secretly; or return
    set -l others
    set -q words[2]; and set others $words[2..-1]
    set -l lines (command secretly __complete $others "$current" 2>/dev/null)
    set -l found (string split -m 1 ' ' -- $lines[1])
    switch "$found[1]"
        case words
            set -q lines[2]; and printf '%s\n' $lines[2..-1]
        case command
            # Other commands complete as if secretly were not there.
            set -l all $words "$current"
            set -l rest $all[(math $found[2] + 2)..-1]
            set -l last $rest[-1]
            set -e rest[-1]
            complete -C (string join ' ' -- (string escape -- $rest) $last)
        case files folders
            set -l prefix "$found[2]"
            set -l path (string sub -s (math (string length -- "$prefix") + 1) -- "$current")
            set -l paths (__fish_complete_path "$path")
            test "$found[1]" = folders; and set paths (__fish_complete_directories "$path" '')
            set -q paths[1]; and printf '%s\n' $prefix$paths
    end
end

complete -c secretly -f -a '(__secretly_complete)'
