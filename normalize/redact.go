package normalize

import "strings"

// removed stands where something was that must not leave the process.
const removed = "[removed]"

// RedactLikely removes from a text what looks like a credential, an account id or a path that upstream echoes. Redact
// removes secrets that are known.
func RedactLikely(text string) string { return redact(text) }

// redact removes from one line of text what looks like a credential, an account id or a path that upstream echoes.
func redact(s string) string {
	return redactWords(redactRoute(s))
}

// redactRoute removes the path of "Could not route to <path>, perhaps your object identifier is invalid?",
// whatever it holds.
func redactRoute(s string) string {
	const words = "could not route to "
	i := strings.Index(strings.ToLower(s), words)
	if i < 0 || len(strings.ToLower(s)) != len(s) {
		return s
	}
	i += len(words)
	end := strings.LastIndex(s, ", perhaps")
	if end < i {
		end = len(s)
	}
	return s[:i] + removed + s[end:]
}

// redactWords goes through s word by word: a word is a run of the bytes that tokens and paths are made of.
func redactWords(s string) string {
	var b strings.Builder
	last, before := "", "" // the word before, and what stands between the two
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && !wordByte(s[i]) {
			i++
		}
		before = s[start:i]
		b.WriteString(before)
		start = i
		for i < len(s) && wordByte(s[i]) {
			i++
		}
		word := s[start:i]
		if word == "" {
			break
		}
		switch {
		case echoedPath(word):
			for i < len(s) && strings.IndexByte(" \"'`,;)<>", s[i]) < 0 { // its query goes with it
				i++
			}
			b.WriteString(removed)
		case namesSecret(last, before) && !strings.EqualFold(word, "Bearer"):
			b.WriteString(removed)
		default:
			b.WriteString(redactParts(word))
		}
		last = word
	}
	return b.String()
}

func wordByte(c byte) bool {
	return letter(c) || '0' <= c && c <= '9' || strings.IndexByte("_-.~+/%$\\", c) >= 0
}

// namesSecret reports whether what follows the word last is a credential by its name.
func namesSecret(last, between string) bool {
	last = strings.ToLower(last)
	if last == "bearer" {
		return strings.Trim(between, " :\"'") == ""
	}
	switch last {
	case "x-auth-key", "x-auth-email", "x-auth-user-service-key", "x-api-key", "api-key", "api_key", "apikey",
		"authorization", "cf-aig-authorization",
		"password", "secret", "api_token", "access_token":
		return strings.Trim(between, " \"'") == ":" || between == "="
	case "key", "token":
		return between == "="
	}
	return false
}

// echoedPath reports whether word is a path of Cloudflare's API, which people put account ids and tokens into.
func echoedPath(word string) bool {
	word = strings.ReplaceAll(word, `\/`, "/")
	return strings.Contains(word, "/accounts/") || strings.HasPrefix(word, "accounts/") ||
		strings.Contains(word, "client/v4/")
}

// redactParts removes what looks like a credential between the separators of word.
func redactParts(word string) string {
	if len(word) < shortestSecret {
		return word
	}
	var b strings.Builder
	for i := 0; i < len(word); {
		start := i
		for i < len(word) && strings.IndexByte(`/+%$\~`, word[i]) < 0 {
			i++
		}
		if part := word[start:i]; looksSecret(strings.Trim(part, ".")) {
			b.WriteString(removed)
		} else {
			b.WriteString(part)
		}
		if i < len(word) {
			b.WriteByte(word[i])
			i++
		}
	}
	return b.String()
}

const shortestSecret = 12

// marks are how well-known credentials begin.
var marks = []string{
	"sk-", "sk_", "pk-", "rk-", "cfut_", "cfat_", "cfk_", "cfoa_", "cf_", "ghp_", "gho_",
	"github_pat_", "glpat-", "hf_", "gsk_", "xai-", "xoxb-", "xoxp-", "AKIA", "AIza", "eyJ", "nwk_",
}

// looksSecret reports whether part has the form of a credential: a known beginning, a hexadecimal id or key, or
// forty mixed letters and digits as Cloudflare's tokens have them. Model names and UUIDs have not.
func looksSecret(part string) bool {
	if len(part) < shortestSecret {
		return false
	}
	for _, m := range marks {
		if strings.HasPrefix(part, m) {
			return true
		}
	}
	if len(part) < 32 || isUUID(part) {
		return false
	}
	var upper, lower, digit, dash, other int
	for i := range len(part) {
		switch c := part[i]; {
		case 'A' <= c && c <= 'Z':
			upper++
		case 'a' <= c && c <= 'z':
			lower++
		case '0' <= c && c <= '9':
			digit++
		case c == '-' || c == '_':
			dash++
		default:
			other++
		}
	}
	switch {
	case other > 0 || digit == 0:
		return false
	case dash == 0:
		return true // an account id, a global key, a token: no word is so long with digits in it
	default:
		return len(part) >= 40 && (upper > 0 && lower > 0 || dash <= 2)
	}
}
