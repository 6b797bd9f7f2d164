package consentgate

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxChoices     = 1024 // bytes of JSON: they travel in the receipt, and so with every batch
	maxChoiceText  = 100  // characters
	maxChoiceParts = 20   // members of a purpose's choices, entries of a list
)

// validChoices checks the details beside purposes, {"marketing":{"frequency":"weekly","topics":["wine"]}}: purposes that are configured,
// and for each a flat object of short texts, numbers, truth values or lists of short texts. There is no room for anything else to hide.
func (g *Gate) validChoices(v jsontext.Value) error {
	if len(v) == 0 {
		return nil
	}
	if len(v) > maxChoices {
		return invalid("/choices", "choices have at most %d bytes", maxChoices)
	}
	var choices map[string]map[string]any
	if err := json.Unmarshal(v, &choices); err != nil || choices == nil {
		return invalid("/choices", "choices are an object of one object a purpose")
	}
	for purpose, parts := range choices {
		pointer := "/choices/" + pointerToken(purpose)
		if !slices.Contains(g.purposes, purpose) {
			return &Refusal{Slug: ErrUnknownPurpose.Slug, Pointer: pointer, Detail: "These choices are for a purpose that is not configured."}
		}
		if len(parts) > maxChoiceParts {
			return invalid(pointer, "at most %d choices a purpose", maxChoiceParts)
		}
		for name, value := range parts {
			if !validText(name, maxChoiceText) || !validChoice(value) {
				return invalid(pointer+"/"+pointerToken(name), "a choice is a text of at most %d characters, a number, true, false, or a list of at most %d texts", maxChoiceText, maxChoiceParts)
			}
		}
	}
	return nil
}

func validChoice(v any) bool {
	switch v := v.(type) {
	case bool, float64, nil:
		return true
	case string:
		return v == "" || validText(v, maxChoiceText)
	case []any:
		return len(v) <= maxChoiceParts && !slices.ContainsFunc(v, func(e any) bool {
			s, ok := e.(string)
			return !ok || s != "" && !validText(s, maxChoiceText)
		})
	}
	return false
}
