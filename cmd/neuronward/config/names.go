package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// unknownNames returns a mistake for each name in environ that begins with NEURONWARD_ and is no variable, sorted.
func unknownNames(vars []Variable, environ map[string]string) Mistakes {
	known := names(vars)
	var all Mistakes
	for name, value := range environ {
		if !strings.HasPrefix(name, ownPrefix) || slices.Contains(known, name) || kubernetesName(name, value) {
			continue
		}
		m := Mistake{Variable: name, Problem: "there is no such variable; unset it"}
		if near := Nearest(name, known); near != "" {
			m.Problem = "there is no such variable; did you mean " + near + "?"
		}
		if base, isFile := strings.CutSuffix(name, FileSuffix); isFile && slices.Contains(known, base) {
			m.Problem = "only secrets are read from files; set " + base + " itself"
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Mistake) int { return strings.Compare(a.Variable, b.Variable) })
	return all
}

// kubernetesName reports whether Kubernetes sets name, with that value, in every pod of a namespace that has a Service
// called neuronward or neuronward-something.
func kubernetesName(name, value string) bool {
	const port = `PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?`
	const service = `SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?`
	own := regexp.MustCompile(`^NEURONWARD_(PORT|` + service + `|` + port + `)$`)
	longer := regexp.MustCompile(`^NEURONWARD_[A-Z0-9_]+_(` + service + `|` + port + `)$`)
	link := regexp.MustCompile(`^(tcp|udp|sctp)://`)
	return own.MatchString(name) || longer.MatchString(name) ||
		strings.HasSuffix(name, "_PORT") && link.MatchString(value)
}

// Nearest returns the one of known that name is most likely a misspelling of, "" when none is near.
func Nearest(name string, known []string) string {
	own := strings.TrimPrefix(name, ownPrefix)
	best, shortest := "", min(len(own)/2, 4)+1
	for _, k := range known {
		if d := levenshtein.Distance(own, strings.TrimPrefix(k, ownPrefix), nil); d < shortest {
			best, shortest = k, d
		}
	}
	return best
}
