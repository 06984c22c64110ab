@NOTE@

# fish asks the engine, which bash runs.
set -g __gtp_engine '@ENGINE@'

function __gtp_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    for line in (bash -c $__gtp_engine gtp $typed $current 2>/dev/null)
        switch $line
            case \tfile
                __fish_complete_path $current
            case '' \t'*'
            case '*'
                echo $line
        end
    end
end

complete -c gtp -f -k -a '(__gtp_complete)'
