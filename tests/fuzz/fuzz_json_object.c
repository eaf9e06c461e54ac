/* Bodies of requests. What is accepted keeps its promises: no name twice, numbers as JSON writes them, slices
 * that lie in what was handed over or decoded. What is not says why. */
#include "fuzz.h"

#include "codec/json_object.h"

static void check_member(const struct json_object *object, size_t i)
{
    const struct json_member *member = &object->members[i];

    CHECK((unsigned)member->kind <= JSON_NESTED && *json_kind_name(member->kind));
    for (size_t k = 0; k < i; k++)
        CHECK(!slice_equal(object->members[k].name, member->name));
    switch (member->kind) {
    case JSON_TEXT:
        break;
    case JSON_NUMBER:
        CHECK(member->value.len > 0);
        CHECK(member->value.data[0] == '-' || (member->value.data[0] >= '0' && member->value.data[0] <= '9'));
        break;
    case JSON_BOOL:
        CHECK(slice_is(member->value, "true") || slice_is(member->value, "false"));
        break;
    case JSON_NULL:
        CHECK(slice_is(member->value, "null"));
        break;
    case JSON_NESTED:
        CHECK(member->value.len >= 2 && (member->value.data[0] == '{' || member->value.data[0] == '['));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct json_object object;
    struct errmsg why = {""};
    size_t bytes = 0;

    if (!json_object_parse(&object, text, &why)) {
        CHECK(why.text[0] != '\0');
        return 0;
    }
    CHECK(object.count <= JSON_MEMBERS_MAX);
    for (size_t i = 0; i < object.count; i++) {
        check_member(&object, i);
        bytes += object.members[i].name.len + object.members[i].value.len;
    }
    CHECK(bytes <= size);
    json_object_clear(&object);
    return 0;
}
