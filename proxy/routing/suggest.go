package routing

import (
	"net/http"
	"strings"
)

// Suggest returns the path that a call which no route takes probably meant: with single slashes, without what a wrong
// base URL puts in front, or with the /v1 that it left out. It returns "" where nothing comes near.
func Suggest(method, path string) string {
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i := range segments {
		rest := "/" + strings.Join(segments[i:], "/")
		for _, candidate := range []string{rest, "/v1" + rest, "/ai" + rest, strings.ToLower(rest)} {
			if d, failure := Resolve(method, candidate); failure == nil && !d.HasFinetunes() && d.Account == "" {
				return candidate
			}
		}
	}
	if method != http.MethodPost && method != http.MethodGet {
		return Suggest(http.MethodPost, path)
	}
	return ""
}
