package main

import (
	"context"
	"flag"
	"slices"
	"strings"
	"text/template"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
)

func completionHelp() string {
	return `Prints a script with which a shell completes commands, options and their values.

Usage:

  neuronward completion bash|zsh|fish

Add the line of your shell to the file that it reads at its start:

  source <(neuronward completion bash)      # ~/.bashrc; bash 4 or later
  source <(neuronward completion zsh)       # ~/.zshrc, after compinit
  neuronward completion fish | source       # ~/.config/fish/config.fish
`
}

func completion(_ context.Context, in *invocation) int {
	args, code, ok := in.parse(in.flags(), completionHelp, 1)
	switch {
	case !ok:
		return code
	case len(args) == 0 || !slices.Contains(shells(), args[0]):
		return in.misused("name a shell: " + strings.Join(shells(), ", "))
	}
	if err := completionScripts().ExecuteTemplate(in.stdout, args[0], completions()); err != nil {
		return in.fail(err)
	}
	return exitDone
}

func shells() []string { return []string{"bash", "zsh", "fish"} }

// A completed command is what shells know of a command.
type completed struct {
	Name, Summary string
	Args          []string // the arguments of which one is given; empty: they are not known
	Flags         []completedFlag
}

type completedFlag struct {
	Name         string
	Switch, File bool     // it takes no value, or the name of a file
	Values       []string // all that it takes; empty: they are not known
}

// completions are the commands with their flags, and help.
func completions() []completed {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	closed := map[string][]string{"client": {"new", "rotate"}, "completion": shells()}
	for _, v := range config.Variables() {
		if option := planOptions[v.Name]; option != "" {
			closed["plan --"+option] = v.Choices
		}
	}
	var all []completed
	for _, c := range commands() {
		one := completed{Name: c.name, Summary: c.summary, Args: closed[c.name]}
		flagsOf(c).VisitAll(func(f *flag.Flag) {
			b, isBool := f.Value.(interface{ IsBoolFlag() bool })
			one.Flags = append(one.Flags, completedFlag{
				Name: f.Name, Switch: isBool && b.IsBoolFlag(), File: strings.HasSuffix(f.Name, "-file"),
				Values: closed[c.name+" --"+f.Name],
			})
		})
		all = append(all, one)
	}
	return append(all, completed{Name: "help", Summary: "say how a command is called", Args: names})
}

// flagsOf returns the flags that a command parses, which it does before anything else.
func flagsOf(c command) (fs *flag.FlagSet) {
	c.run(context.Background(), &invocation{command: c, inspect: func(parsed *flag.FlagSet) { fs = parsed }})
	return fs
}

// completionScripts returns the scripts by the names of their shells.
func completionScripts() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"join":  func(words []string) string { return strings.Join(words, " ") },
		"quote": func(text string) string { return "'" + strings.ReplaceAll(text, "'", `'"'"'`) + "'" },
	}).Parse(`
{{- define "bash" -}}
_neuronward() {
  local IFS=$' \t\n' cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local command= before= args= flags=-h arg
  [[ $cur == = ]] && cur=
  [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}
  COMPREPLY=()
  if ((COMP_CWORD > 1)); then
    command=${COMP_WORDS[1]} before=" ${COMP_WORDS[*]:2:COMP_CWORD-2} "
  fi
  case $command in
  '') args='{{range .}}{{.Name}} {{end}}' flags='-h --version' ;;
{{- range .}}
  {{.Name}})
    args='{{join .Args}}' flags='{{range .Flags}}--{{.Name}} {{end}}-h'
    case $prev in
    {{- range .Flags}}{{if .Values}}
    --{{.Name}}) args='{{join .Values}}' before= flags= ;;
    {{- else if .File}}
    --{{.Name}}) compopt -o default; return ;;
    {{- else if not .Switch}}
    --{{.Name}}) return ;;
    {{- end}}{{end}}
    esac ;;
{{- end}}
  esac
  for arg in $args; do
    [[ $before == *" $arg "* ]] && args=
  done
  COMPREPLY=($(compgen -W "$args $flags" -- "$cur"))
}
complete -F _neuronward neuronward
{{end}}

{{- define "zsh" -}}
#compdef neuronward
_neuronward() {
  local cur=${words[CURRENT]} prev=${words[CURRENT-1]} arg
  local -a args flags
  if [[ $cur == --*=* ]]; then
    prev=${cur%%=*}
    compset -P '*='
  fi
  if ((CURRENT == 2)); then
    args=(
    {{- range .}}
      {{.Name}}:{{quote .Summary}}
    {{- end}}
    )
    _describe command args
    compadd -- -h --version
    return
  fi
  case ${words[2]} in
{{- range .}}
  {{.Name}})
    args=({{join .Args}}) flags=({{range .Flags}}--{{.Name}} {{end}})
    case $prev in
    {{- range .Flags}}{{if .Values}}
    --{{.Name}}) compadd -- {{join .Values}}; return ;;
    {{- else if .File}}
    --{{.Name}}) _files; return ;;
    {{- else if not .Switch}}
    --{{.Name}}) return ;;
    {{- end}}{{end}}
    esac ;;
{{- end}}
  esac
  for arg in ${words[3,CURRENT-1]}; do
    ((${args[(Ie)$arg]})) && args=()
  done
  compadd -- $args $flags -h
}
if [[ ${funcstack[1]} == _neuronward ]]; then
  _neuronward "$@"
else
  compdef _neuronward neuronward
fi
{{end}}

{{- define "fish" -}}
# Whether the first argument is the command, and no other one was given.
function __neuronward_at
  set -l before (commandline -opc)
  test "$before[2]" = "$argv[1]"; or return 1
  for arg in $argv[2..-1]
    contains -- $arg $before[3..-1]; and return 1
  end
  return 0
end
complete -c neuronward -f
complete -c neuronward -s h -d help
complete -c neuronward -n '__neuronward_at ""' -l version
{{- range .}}{{$c := .Name}}
complete -c neuronward -n '__neuronward_at ""' -a {{.Name}} -d {{quote .Summary}}
{{- if .Args}}
complete -c neuronward -n '__neuronward_at {{$c}} {{join .Args}}' -a '{{join .Args}}'
{{- end}}
{{- range .Flags}}
complete -c neuronward -n '__neuronward_at {{$c}}' -l {{.Name}}
{{- if .Values}} -x -a '{{join .Values}}'{{else if .File}} -r -F{{else if not .Switch}} -x{{end}}
{{- end}}
{{- end}}
{{end}}`))
}
