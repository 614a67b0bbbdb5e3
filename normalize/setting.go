package normalize

import (
	"regexp"
	"strings"
)

// A SettingName returns the name under which people find a setting, such as that of an environment variable. key is
// what texts have for it: MAX_BODY of "{MAX_BODY}". A nil SettingName returns the key.
type SettingName func(key string) string

var settingKey = regexp.MustCompile(`\{[A-Z_]+\}`)

// fill puts the names of settings in the place of their keys.
func (name SettingName) fill(text string) string {
	if strings.IndexByte(text, '{') < 0 {
		return text
	}
	return settingKey.ReplaceAllStringFunc(text, func(key string) string {
		key = key[1 : len(key)-1]
		if name == nil {
			return key
		}
		return name(key)
	})
}

// Named returns e with the names of settings in its texts.
func (e Entry) Named(name SettingName) Entry {
	e.Action, e.Automatic = name.fill(e.Action), name.fill(e.Automatic)
	return e
}

// NameSettings puts the names of settings into the texts of f that are this proxy's own. f must be resolved.
func (f *Failure) NameSettings(name SettingName) {
	f.Action = name.fill(f.Action)
	if f.Origin != OriginUpstream {
		f.Message = name.fill(f.Message)
	}
}
