from ticker.feeds.json.texts import JsonTexts

class Json(JsonTexts):
    def begin_day(self, midnight_ns: int) -> None: ...
